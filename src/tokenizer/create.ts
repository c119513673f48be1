import { RealmError } from '../errors.ts';
import type { Metadata } from '../gguf/types.ts';
import { BytePairEncoder } from './bpe.ts';
import { fromByteLevel } from './byte-level.ts';
import { UnigramEncoder } from './kernels/unigram.ts';
import { flag, text } from './metadata.ts';
import { preTokenizer } from './pre-tokenizers.ts';
import { SentencePieceEncoder } from './sentencepiece.ts';
import { type Algorithm, VocabularyTokenizer } from './tokenizer.ts';
import type { Tokenizer } from './types.ts';
import { usableMetadata } from './usable-metadata.ts';
import { readVocabulary } from './vocabulary.ts';
import { WordPieceEncoder } from './wordpiece.ts';

/** The algorithms by the names that `tokenizer.ggml.model` gives them, with the special ids of files that name none. */
const algorithms: Readonly<Record<string, (metadata: Metadata) => Algorithm>> = {
  llama: sentencePiece,
  gpt2: metadata => bytePair(metadata, text(metadata, 'pre')),
  gemma4: metadata => bytePair(metadata, 'gemma4'),
  bert: wordPiece,
  t5: unigram,
};

/**
 * The tokenizer of a model file; `warn` hears of what is wrong in it and can be ignored.
 * Throws `tokenizer_unknown` for an algorithm or pre-tokenizer that Realm lacks, `model_invalid` for a bad vocabulary.
 */
export function createTokenizer(file: Metadata, warn: (message: string) => void = () => {}): Tokenizer {
  const metadata = usableMetadata(file, warn);
  const model = text(metadata, 'model');
  const algorithm = model !== undefined && Object.hasOwn(algorithms, model) ? algorithms[model] : undefined;
  if (!algorithm) {
    const problem = model === undefined ? 'the file has no tokenizer' : `the tokenizer '${model}' is not known`;
    throw new RealmError(
      'tokenizer_unknown',
      `${problem}: use a model with one of ${Object.keys(algorithms).join(', ')}`,
      {
        param: 'tokenizer.ggml.model',
      },
    );
  }
  return new VocabularyTokenizer(algorithm(metadata));
}

function sentencePiece(metadata: Metadata): Algorithm {
  const vocabulary = readVocabulary(metadata, { bos: 1, eos: 2, unknown: 0, addBos: true, addSpacePrefix: true });
  const encoder = new SentencePieceEncoder(vocabulary);
  return {
    vocabulary,
    encode: (part, out, atStart) => encoder.encode(part, out, atStart),
    keepsText: !encoder.dropsText,
    ordinaryBytes: unescapeSpaces,
  };
}

/** Pre-tokenizers of models that read pairs with two separators, RoBERTa's. */
const separating: ReadonlySet<string> = new Set(['roberta-bpe', 'jina-v1-en', 'jina-v2-code']);

function bytePair(metadata: Metadata, name: string | undefined): Algorithm {
  const pre = preTokenizer(name);
  const defaults = pre.raw ? {} : { bos: 11, eos: 11 };
  const read = readVocabulary(metadata, { ...defaults, addBos: pre.addBos, addSeparator: separating.has(name ?? '') });
  // Early Gemma 4 files deny the beginning-of-text token that the model was trained with.
  const vocabulary = { ...read, addBos: read.addBos || pre.raw === true, addSpacePrefix: false };
  const encoder = new BytePairEncoder(metadata, vocabulary, pre);
  return {
    vocabulary,
    encode: (part, out) => encoder.encode(part, out),
    keepsText: !encoder.dropsText,
    ordinaryBytes: pre.raw ? unescapeSpaces : fromByteLevel,
  };
}

function wordPiece(metadata: Metadata): Algorithm {
  const read = readVocabulary(metadata, { bos: 101, unknown: 100, separator: 102 });
  const lowercase = flag(metadata, 'normalizer.lowercase') ?? true;
  const stripAccents = flag(metadata, 'normalizer.strip_accents') ?? lowercase;
  const encoder = new WordPieceEncoder(read, { lowercase, stripAccents });
  // BERT puts a text between [CLS] and [SEP], whatever the flags say. Words begin with a space that decoding drops once.
  const vocabulary = { ...read, addBos: true, addEos: true, addSeparator: false, addSpacePrefix: true };
  return {
    vocabulary,
    lastToken: read.separator,
    encode: (part, out) => encoder.encode(part, out),
    keepsText: false,
    ordinaryBytes: unescapeSpaces,
  };
}

function unigram(metadata: Metadata): Algorithm {
  const vocabulary = readVocabulary(metadata, { eos: 1, unknown: 2, addEos: true });
  const encoder = new UnigramEncoder(metadata, vocabulary);
  return {
    vocabulary,
    encode: (part, out) => encoder.encode(part, out),
    keepsText: false,
    ordinaryBytes: unescapeSpaces,
  };
}

const utf8 = new TextEncoder();

function unescapeSpaces(tokenText: string): Uint8Array {
  return utf8.encode(tokenText.replaceAll('▁', ' '));
}

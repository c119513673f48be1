import type { GgufValue, Metadata } from '../../gguf/types.ts';
import { byteToken } from '../bpe.ts';
import { byteChar } from '../byte-level.ts';
import { kinds } from '../kinds.ts';

/** Small vocabularies for tests: metadata as a model file would hold them. */

type Changes = Record<string, GgufValue | undefined>;

/** All bytes, `<s>`, `</s>`, some merged words, and `special` control tokens. `undefined` removes a key. */
export function byteLevelMetadata(changes: Changes = {}, special: readonly string[] = []): Metadata {
  const merges = ['a a', 'aa aa', 'aaaa aaaa', 'h e', 'l l', 'he ll', 'hell o', 'Ġ hello', 'Ã ¤', 'Ġ Ġ'];
  const tokens = ['<s>', '</s>', ...special, ...Array.from({ length: 256 }, (_, byte) => byteChar(byte))];
  const control = tokens.length - 256;
  tokens.push(...merges.map(merge => merge.replace(' ', '')));
  return metadata(
    {
      'tokenizer.ggml.model': 'gpt2',
      'tokenizer.ggml.pre': 'gpt-2',
      'tokenizer.ggml.tokens': tokens,
      'tokenizer.ggml.token_type': Int32Array.from(tokens, (_, id) => (id < control ? kinds.control : kinds.normal)),
      'tokenizer.ggml.merges': merges,
      'tokenizer.ggml.bos_token_id': 0,
      'tokenizer.ggml.eos_token_id': 1,
    },
    changes,
  );
}

/** Unknown, `<s>`, `</s>`, all byte tokens, letters and some words, with scores. */
export function sentencePieceMetadata(changes: Changes = {}): Metadata {
  const bytes = Array.from({ length: 256 }, (_, byte) => byteToken(byte));
  const words = [
    '▁',
    'a',
    'b',
    'aa',
    'aaaa',
    '▁a',
    '▁aa',
    'h',
    'e',
    'l',
    'o',
    'll',
    'he',
    'hell',
    '▁hell',
    'hello',
    '▁hello',
  ];
  const tokens = ['<unk>', '<s>', '</s>', ...bytes, ...words];
  const types = tokens.map((_, id) =>
    id === 0 ? kinds.unknown : id < 3 ? kinds.control : id < 259 ? kinds.byte : kinds.normal,
  );
  return metadata(
    {
      'tokenizer.ggml.model': 'llama',
      'tokenizer.ggml.tokens': tokens,
      'tokenizer.ggml.token_type': Int32Array.from(types),
      'tokenizer.ggml.scores': Float32Array.from(tokens, (_, id) => -id),
    },
    changes,
  );
}

/** BERT's special tokens and a few pieces; words begin with ▁. */
export function wordPieceMetadata(changes: Changes = {}): Metadata {
  const tokens = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '▁a', 'a', 'aa', '▁hello', '▁he', 'llo', '▁!', '▁cafe'];
  return metadata(
    {
      'tokenizer.ggml.model': 'bert',
      'tokenizer.ggml.tokens': tokens,
      'tokenizer.ggml.token_type': Int32Array.from(tokens, (_, id) => (id < 4 ? kinds.control : kinds.normal)),
      'tokenizer.ggml.bos_token_id': 2,
      'tokenizer.ggml.unknown_token_id': 1,
      'tokenizer.ggml.seperator_token_id': 3,
    },
    changes,
  );
}

/** T5's kind: pieces with log-probabilities. */
export function unigramMetadata(changes: Changes = {}): Metadata {
  const tokens = ['<pad>', '</s>', '<unk>', '▁', 'a', 'aa', '▁a', '▁hello', 'h', 'e', 'l', 'o', 'lo'];
  const types = tokens.map((_, id) => (id < 2 ? kinds.control : id === 2 ? kinds.unknown : kinds.normal));
  return metadata(
    {
      'tokenizer.ggml.model': 't5',
      'tokenizer.ggml.tokens': tokens,
      'tokenizer.ggml.token_type': Int32Array.from(types),
      'tokenizer.ggml.scores': Float32Array.from([0, 0, 0, -2, -3, -4, -4, -5, -6, -6, -6, -6, -7]),
      'tokenizer.ggml.add_space_prefix': true,
    },
    changes,
  );
}

function metadata(base: Record<string, GgufValue>, changes: Changes): Metadata {
  const merged = Object.entries({ ...base, ...changes });
  return new Map(merged.filter((entry): entry is [string, GgufValue] => entry[1] !== undefined));
}

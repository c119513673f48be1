import { RealmError } from '../errors.ts';
import type { Metadata } from '../gguf/types.ts';
import { fillInTexts, markSpecialNames } from './end-of-generation.ts';
import { kinds } from './kinds.ts';
import { flag, numberList, stringList, text, tokenId } from './metadata.ts';
import type { FillInTheMiddle } from './types.ts';

/** What the kind of tokenizer decides before the file's own flags do. */
export interface VocabularyDefaults {
  bos?: number | undefined;
  eos?: number | undefined;
  unknown?: number | undefined;
  separator?: number | undefined;
  addBos?: boolean | undefined;
  addEos?: boolean | undefined;
  addSeparator?: boolean | undefined;
  addSpacePrefix?: boolean | undefined;
}

/** A validated vocabulary: the tokens of a model file and the flags that steer encoding. */
export interface Vocabulary {
  /** The text of each token, as the file writes it // [size] */
  readonly texts: readonly string[];
  /** What each token is, by kinds.ts // [size] */
  readonly kinds: Uint8Array;
  /** Log-probabilities of the pieces // [size], zeros when the file has none */
  readonly scores: Float32Array;
  readonly ids: ReadonlyMap<string, number>;
  readonly bos: number | undefined;
  readonly eos: number | undefined;
  readonly unknown: number | undefined;
  readonly separator: number | undefined;
  readonly endOfGeneration: ReadonlySet<number>;
  readonly fillInTheMiddle: FillInTheMiddle | undefined;
  readonly addBos: boolean;
  readonly addEos: boolean;
  /** Between the texts of a pair, beside what each of them ends with. */
  readonly addSeparator: boolean;
  readonly addSpacePrefix: boolean;
  /** Special tokens that swallow the white space after (right) or before (left) them. */
  readonly stripRight: ReadonlySet<number>;
  readonly stripLeft: ReadonlySet<number>;
}

/** Reads and checks the vocabulary of a model file. Throws `model_invalid`. */
export function readVocabulary(metadata: Metadata, defaults: VocabularyDefaults): Vocabulary {
  const texts = readTexts(metadata);
  const size = texts.length;
  const ids = indexTexts(texts);
  const tokenKinds = readKinds(metadata, size);
  const special = (name: string, fallback?: number) =>
    tokenId(metadata, name, size) ?? (fallback !== undefined && fallback < size ? fallback : undefined);
  const eos = special('eos_token_id', defaults.eos);
  const marked = [eos, special('eot_token_id'), special('eom_token_id')];
  const endOfGeneration = markSpecialNames(ids, tokenKinds, marked, metadata);
  return {
    texts,
    kinds: tokenKinds,
    scores: Float32Array.from(numberList(metadata, 'scores', size) ?? new Float32Array(size)),
    ids,
    bos: special('bos_token_id', defaults.bos),
    eos,
    unknown: special('unknown_token_id', defaults.unknown),
    separator: special('seperator_token_id', defaults.separator),
    endOfGeneration,
    fillInTheMiddle: fillInTexts(texts, ids, metadata),
    addBos: flag(metadata, 'add_bos_token') ?? defaults.addBos ?? false,
    addEos: flag(metadata, 'add_eos_token') ?? defaults.addEos ?? false,
    addSeparator: flag(metadata, 'add_sep_token') ?? defaults.addSeparator ?? false,
    addSpacePrefix: flag(metadata, 'add_space_prefix') ?? defaults.addSpacePrefix ?? false,
    ...stripping(metadata, ids, tokenKinds),
  };
}

function readTexts(metadata: Metadata): string[] {
  const texts = stringList(metadata, 'tokens');
  if (!texts?.length) {
    throw new RealmError(
      'model_invalid',
      'the file has no vocabulary (tokenizer.ggml.tokens): use another model file',
      {
        param: 'tokenizer.ggml.tokens',
      },
    );
  }
  return texts.map((word, id) => word || `[EMPTY_${id}]`);
}

function indexTexts(texts: readonly string[]): Map<string, number> {
  const ids = new Map<string, number>();
  for (const [id, word] of texts.entries()) ids.set(word, id);
  if (ids.size !== texts.length) {
    throw new RealmError('model_invalid', 'tokenizer.ggml.tokens has a token twice: use another model file', {
      param: 'tokenizer.ggml.tokens',
    });
  }
  return ids;
}

function readKinds(metadata: Metadata, size: number): Uint8Array {
  const types = numberList(metadata, 'token_type', size);
  if (!types) return new Uint8Array(size).fill(kinds.normal);
  return Uint8Array.from(types, type => (type >= 0 && type <= kinds.byte ? type : kinds.undefined));
}

/** The file does not say which special tokens swallow spaces; like llama.cpp, tell by the name of the model. */
function stripping(metadata: Metadata, ids: ReadonlyMap<string, number>, tokenKinds: Uint8Array) {
  const name = String(metadata.get('general.name') ?? '').toLowerCase();
  const architecture = String(metadata.get('general.architecture') ?? '');
  const stripRight = new Set<number>();
  const stripLeft = new Set<number>();
  const idsOf = (...names: string[]) => names.flatMap(word => ids.get(word) ?? []);
  if (/jina-v2-(de|es|code)/.test(text(metadata, 'pre') ?? '') || /nomic-bert-moe|jina-bert-v3/.test(architecture)) {
    for (const id of idsOf('<mask>')) stripLeft.add(id);
  } else if (/phi-?3/.test(name)) {
    const isSpecial = (kind: number) => kind !== kinds.normal && kind !== kinds.byte && kind !== kinds.unused;
    tokenKinds.forEach((kind, id) => {
      if (isSpecial(kind)) stripRight.add(id);
    });
    for (const id of idsOf('<unk>', '<s>', '<|endoftext|>')) stripRight.delete(id);
  } else if (name.includes('modern-bert')) {
    for (const id of idsOf('[MASK]')) stripLeft.add(id);
  }
  return { stripRight, stripLeft };
}

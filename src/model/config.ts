import type { GgufFile } from '../gguf/types.ts';
import { type Keys, keysOf } from './keys.ts';
import { type Pooling, readPooling } from './pooling.ts';

/** The sizes of a model, as validated: every one a positive integer, every quotient below exact. */
export interface ModelConfig {
  readonly architecture: string;
  readonly layers: number;
  readonly width: number;
  readonly feedForward: number;
  readonly heads: number;
  /** Divides `heads`: each key-value head serves heads / kvHeads query heads (GQA, arXiv:2305.13245). */
  readonly kvHeads: number;
  /** Even. */
  readonly headDim: number;
  /** Rows of the embedding table. */
  readonly vocabSize: number;
  readonly trainedContext: number;
  /** What the norms add under the root. */
  readonly epsilon: number;
  /** How embeddings are pooled, if the file says so. */
  readonly pooling?: Pooling | undefined;
}

/** What a file may ask for at most; the largest models are an order of magnitude below. */
export const most = {
  layers: 1024,
  width: 1 << 17,
  feedForward: 1 << 20,
  heads: 1024,
  headDim: 1024,
  vocabSize: 1 << 22,
  context: 1 << 28,
};

interface ConfigOptions {
  /** Whether layers differ in their heads and widths; then the largest are given. */
  readonly mixedLayers?: boolean | undefined;
  /** Whether attention is latent: all heads see one key, and the latent's width is given as theirs. */
  readonly latent?: boolean | undefined;
  /** The keys of what norms add under the root; the first that a file has is read. Default: that of RMS norms. */
  readonly epsilon?: readonly [string, ...string[]] | undefined;
}

/** Reads `<architecture>.*`; throws `model_invalid` naming the key for a value that no decoder can have. */
export function readModelConfig(
  file: GgufFile,
  { mixedLayers = false, latent = false, epsilon = ['attention.layer_norm_rms_epsilon'] }: ConfigOptions = {},
): ModelConfig {
  const keys = keysOf(file);
  const sizeOf = mixedLayers ? keys.largest : keys.uniform;
  const blocks = keys.size('block_count', most.layers);
  // Blocks that guess the tokens after the next come last, and are not run.
  const layers = blocks - (keys.maybe('nextn_predict_layers', { min: 0, max: blocks - 1, integer: true }) ?? 0);
  const width = keys.size('embedding_length', most.width);
  const heads = sizeOf('attention.head_count', blocks, most.heads);
  const kvHeads = latent ? 1 : sizeOf('attention.head_count_kv', blocks, heads, heads);
  if (heads % kvHeads !== 0)
    keys.fail('attention.head_count_kv', `is ${kvHeads}, which does not divide ${heads} heads`);
  return {
    architecture: keys.architecture,
    layers,
    width,
    feedForward: sizeOf('feed_forward_length', blocks, most.feedForward, expertWidth(keys)),
    heads,
    kvHeads,
    headDim: latent ? keys.size('attention.kv_lora_rank', most.headDim) : readHeadDim(keys, width, heads),
    vocabSize: readVocabSize(file, keys),
    trainedContext: keys.size('context_length', most.context),
    epsilon: keys.number(epsilon.find(key => keys.meta.has(`${keys.architecture}.${key}`)) ?? epsilon[0], {
      min: 0,
      max: 1,
    }),
    pooling: readPooling(keys),
  };
}

/** What stands in for the width of feed-forward networks where there are only experts. */
function expertWidth(keys: Keys): number | undefined {
  if (keys.meta.has(`${keys.architecture}.feed_forward_length`)) return undefined;
  return keys.maybe('expert_feed_forward_length', { min: 1, max: most.feedForward, integer: true });
}

function readHeadDim(keys: Keys, width: number, heads: number): number {
  const key = keys.maybe('attention.key_length', { min: 2, max: most.headDim, integer: true });
  if (key === undefined && width % heads !== 0) {
    keys.fail('attention.head_count', `is ${heads}, which does not divide the width ${width}`);
  }
  const headDim = key ?? width / heads;
  if (headDim % 2 !== 0 || headDim > most.headDim) {
    keys.fail('attention.key_length', `makes heads of ${headDim}; they must be even and at most ${most.headDim}`);
  }
  const value = keys.maybe('attention.value_length') ?? headDim;
  if (value !== headDim)
    keys.fail('attention.value_length', `is ${value}; only the key length, ${headDim}, is supported`);
  return headDim;
}

/** Rows of the embedding table, which must be as many as the tokenizer has tokens. */
function readVocabSize(file: GgufFile, keys: Keys): number {
  const rows = file.tensors.get('token_embd.weight')?.shape[1] ?? 0;
  const tokens = file.metadata.get('tokenizer.ggml.tokens');
  const expected = Array.isArray(tokens) ? tokens.length : (keys.maybe('vocab_size') ?? rows);
  if (rows >= 1 && rows <= most.vocabSize && rows === expected) return rows;
  return keys.meta.fail('tokenizer.ggml.tokens', `has ${expected} tokens, token_embd.weight has ${rows} rows`);
}

/** Loads the layers one after the other: `load` gets the prefix of a layer's tensors, and its number. */
export async function eachLayer<T>(
  config: ModelConfig,
  load: (prefix: string, layer: number) => Promise<T>,
): Promise<T[]> {
  const layers: T[] = [];
  while (layers.length < config.layers) layers.push(await load(`blk.${layers.length}`, layers.length));
  return layers;
}

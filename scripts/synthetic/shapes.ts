/** Dimensions of a synthetic model. */
export interface Shape {
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  /** Default width / heads. */
  readonly headWidth?: number;
  readonly ffn: number;
  readonly vocab: number;
  readonly context: number;
  readonly ropeBase?: number;
  /** Whether the output matrix is the token embedding. */
  readonly tied?: boolean;
  /** Experts of a mixture, those used per token, and their inner width when it is not `ffn`. */
  readonly experts?: number;
  readonly expertsUsed?: number;
  /** Of the stream that experts take and give, where it is narrower than the others'; of the latent that attention keeps. */
  readonly latentWidth?: number;
  /** Of latent attention: dimensions of a query that are rotated, width of a value, and of what queries are made of first. */
  readonly rotatedWidth?: number;
  readonly valueWidth?: number;
  readonly queryRank?: number;
  /** Leading layers with one feed-forward network instead of experts, in architectures that say how many. */
  readonly denseLayers?: number;
  /** Tokens of the sliding window, for the architectures that have one. */
  readonly window?: number;
  /** Attention in every so many layers, in the architectures whose others keep a state. */
  readonly interval?: number;
  /** Tokens that a convolution is over. */
  readonly taps?: number;
  /** Heads of the delta rule, and their width. */
  readonly keyHeads?: number;
  readonly valueHeads?: number;
  readonly stateWidth?: number;
  /** Blocks behind the layers that predict the token after the next. */
  readonly predicting?: number;
  /** Width of a head in layers with a window, and how many layers it takes for one without, where it is not the architecture's own. */
  readonly windowHeadWidth?: number;
  readonly fullEvery?: number;
  /** Last layers that see the keys of earlier ones, and width of the embedding that each layer has for itself. */
  readonly sharedLayers?: number;
  readonly perLayerWidth?: number;
}

/** Shapes of known models, and small ones for tests. K formats need widths that are multiples of 256. */
export const shapes = {
  tiny: { width: 256, layers: 2, heads: 4, kvHeads: 2, ffn: 512, vocab: 512, context: 512 },
  small: { width: 512, layers: 6, heads: 8, kvHeads: 4, ffn: 1536, vocab: 4096, context: 2048 },
  smollm135m: {
    width: 576,
    layers: 30,
    heads: 9,
    kvHeads: 3,
    ffn: 1536,
    vocab: 49_152,
    context: 8192,
    ropeBase: 100_000,
    tied: true,
  },
  tinyllama: { width: 2048, layers: 22, heads: 32, kvHeads: 4, ffn: 5632, vocab: 32_000, context: 2048 },
  llama1b: {
    width: 2048,
    layers: 16,
    heads: 32,
    kvHeads: 8,
    ffn: 8192,
    vocab: 128_256,
    context: 131_072,
    ropeBase: 500_000,
    tied: true,
  },
  'qwen3.5-0.8b': {
    ...{ width: 1024, layers: 24, heads: 8, kvHeads: 2, headWidth: 256, ffn: 3584, vocab: 248_320, context: 262_144 },
    ...{ ropeBase: 1e7, tied: true, interval: 4, taps: 4, keyHeads: 16, valueHeads: 16, stateWidth: 128 },
  },
  'qwen3.5-4b': {
    ...{ width: 2560, layers: 32, heads: 16, kvHeads: 4, headWidth: 256, ffn: 9216, vocab: 248_320, context: 262_144 },
    ...{ ropeBase: 1e7, tied: true, interval: 4, taps: 4, keyHeads: 16, valueHeads: 32, stateWidth: 128 },
  },
  'gpt-oss-20b': {
    ...{ width: 2880, layers: 24, heads: 64, kvHeads: 8, headWidth: 64, ffn: 2880, vocab: 201_088, context: 131_072 },
    ...{ ropeBase: 150_000, experts: 32, expertsUsed: 4, window: 128 },
  },
  /** Four of its forty layers. */
  'qwen3.5-35b-a3b-cut': {
    ...{ width: 2048, layers: 4, heads: 16, kvHeads: 2, headWidth: 256, ffn: 512, vocab: 248_320, context: 262_144 },
    ...{ ropeBase: 1e7, interval: 4, taps: 4, keyHeads: 16, valueHeads: 32, stateWidth: 128 },
    ...{ experts: 256, expertsUsed: 8 },
  },
  /** Four layers about as DeepSeek V2-Lite has 27, with queries of a narrower stream, without which llama.cpp wants all 27. */
  'deepseek-lite-cut': {
    ...{ width: 2048, layers: 4, heads: 16, kvHeads: 1, headWidth: 192, ffn: 1536, vocab: 32_768, context: 32_768 },
    ...{ latentWidth: 512, rotatedWidth: 64, valueWidth: 128, queryRank: 768, experts: 64, expertsUsed: 6 },
  },
  'gemma4-e2b': {
    width: 1536,
    layers: 35,
    heads: 8,
    kvHeads: 1,
    headWidth: 512,
    windowHeadWidth: 256,
    ffn: 6144,
    vocab: 262_144,
    context: 131_072,
    ropeBase: 1e6,
    window: 512,
    fullEvery: 5,
    sharedLayers: 20,
    perLayerWidth: 256,
    tied: true,
  },
  llama7b: { width: 4096, layers: 32, heads: 32, kvHeads: 32, ffn: 11_008, vocab: 32_000, context: 4096 },
} as const satisfies Record<string, Shape>;

export type ShapeName = keyof typeof shapes;

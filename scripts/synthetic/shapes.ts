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
  /** Tokens of the sliding window, for the architectures that have one. */
  readonly window?: number;
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

/** How an architecture's tensors and metadata are described. */
import type { MetaValue } from './gguf-writer.ts';
import type { Shape } from './shapes.ts';

/** One tensor of an architecture; matrices are [inputs, outputs] or [inputs, outputs, experts], in ggml's order. */
export interface Part {
  readonly name: string;
  readonly shape: readonly number[];
  readonly kind:
    | 'embedding'
    | 'matrix'
    | 'output'
    | 'norm'
    | 'bias'
    | 'router'
    | 'kernel'
    | 'decay'
    | 'sinks'
    | 'table'
    | 'divisors'
    | 'scaling norm';
}

/** What tells one architecture from llama; names and keys as llama.cpp expects them. */
export interface Recipe {
  /** general.architecture. */
  readonly name: string;
  readonly biases?: boolean;
  /** Norms over each head of queries and keys; `whole`: over all of them. */
  readonly headNorms?: boolean | 'whole';
  readonly postNorms?: boolean;
  /** LayerNorms; `biased`: all they and all matrices have biases. */
  readonly layerNorms?: boolean | 'biased';
  /** Attention and feed-forward network have one norm. */
  readonly parallel?: boolean;
  /** Feed-forward networks have no gate. */
  readonly ungated?: boolean;
  /** Whether there are norms before attention and feed-forward network. Default true. */
  readonly preNorms?: boolean;
  /** Queries, keys and values in one matrix, gate and up in another; `ffn`: only the latter. */
  readonly fused?: boolean | 'ffn';
  readonly experts?: boolean;
  /** Biases of all experts and of their router, and of attention's output. */
  readonly expertBiases?: boolean;
  readonly sinks?: boolean;
  /** A shared expert; `gated`: of which tokens take a share. */
  readonly shared?: 'plain' | 'gated';
  /** A bias for choosing experts. */
  readonly selectionBias?: boolean;
  /** Leading layers that have one feed-forward network instead of experts; or all but every so many. */
  readonly leadingDense?: number;
  readonly expertsEvery?: number;
  /** What the norm before the feed-forward network is called. */
  readonly ffnNorm?: string;
  readonly tied?: boolean;
  /** The embedding is multiplied by sqrt(width) when a token enters, and not when it serves as the output matrix. */
  readonly scaledEmbedding?: boolean;
  /** In the place of attention. */
  readonly mixer?: (shape: Shape, layer: number, prefix: string) => Part[];
  /** What the norm before the output is called. */
  readonly outputNorm?: string;
  /** It embeds or ranks texts, and is not there to answer. */
  readonly embeds?: boolean;
  readonly encoder?: EncoderRecipe;
  /** Width between two matrices behind the pooling. */
  readonly dense?: number;
  /** Scores of a head behind the pooling. */
  readonly labels?: number;
  readonly extra?: (shape: Shape) => Record<string, MetaValue>;
  /** Tensors beside the layers, and those of a layer, of an architecture that is like no other. */
  readonly ends?: (shape: Shape) => Part[];
  readonly layer?: (shape: Shape, layer: number, prefix: string) => Part[];
}

/** What tells one encoder from BERT. */
export interface EncoderRecipe {
  /** Positions are learned, a row for each; otherwise queries and keys are rotated. */
  readonly positions?: boolean;
  /** One matrix of queries, keys and values. */
  readonly fused?: boolean;
  readonly biases?: boolean;
  /** A gate beside the feed-forward network. */
  readonly gated?: boolean;
  /** A head that scores. */
  readonly ranks?: boolean;
}

/** The cache of keys, values and states, and where a step's tokens belong in it. */
import type { CacheType } from '../kernels/attention.ts';

export type { CacheType };

/**
 * What a layer keeps of a sequence: keys and values of every token, in pages; or a state of fixed size, in a slot (a convolution,
 * a delta rule). Layers may differ.
 */
export type LayerShape = PagedShape | StateShape;

export interface PagedShape {
  readonly kvHeads: number;
  readonly headDim: number;
  /** Of multi-head latent attention: a key's first dimensions, which are its value too and are kept once. `kvHeads` is 1 then. */
  readonly latentDim?: number | undefined;
}

export interface StateShape {
  /** f32 values. */
  readonly stateSize: number;
}

export interface KvShape {
  readonly layers: readonly LayerShape[];
  /** Pages of {@link pageTokens} tokens; one page number stands for that page in every paged layer, keys and values. */
  readonly pages: number;
  /** States that are held at once, of sequences and of snapshots; one slot number stands for that slot in every other layer. */
  readonly slots: number;
  /** Q8_0: int8 with an f32 scale for 32 dimensions of a position, a bit over half of F16. */
  readonly type: CacheType;
}

/** Tokens in a page of the KV cache. */
export const pageTokens = 32;

/** Positions whose attention is summed on its own and combined with that of others: docs/numerics.md. */
export const splitTokens = 256;

export interface KvCache extends KvShape {
  readonly handle?: 'cache';
  /** Bytes of one page over all layers. */
  readonly pageBytes: number;
  /** Bytes of one slot over all layers; 0 where no layer keeps a state. */
  readonly slotBytes: number;
}

/** Where the tokens of one step belong. Token i of a segment sits at row `start + i` and position `position + i`. */
export interface BatchLayout {
  /** Tokens in all. */
  readonly tokens: number;
  readonly segments: readonly Segment[];
}

/** Consecutive tokens of one sequence. */
export interface Segment {
  readonly start: number;
  readonly count: number;
  readonly position: number;
  /** Block table: page number of positions [32 * i, 32 * i + 32). Covers position + count. */
  readonly pages: Int32Array;
  /** Where its state is, in models whose layers keep one. At position 0 it counts as zeros, whatever the slot holds. */
  readonly slot?: number | undefined;
  /**
   * Where its state is put behind the segment's tokens: another slot, so that a run which is preempted, and a guess which is wrong,
   * leave the state as it was.
   */
  readonly nextSlot?: number | undefined;
}

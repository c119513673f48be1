import type { CacheType } from '../kernels/attention.ts';
import type { QuantType } from '../quant/types.ts';

export type { CacheType };

/**
 * What a model needs from the machine. Operations are *recorded*, not run: `run()` runs everything recorded since the
 * last call, and the effect is as if the operations ran one after the other in the order in which they were recorded.
 * A backend may overlap or fuse whatever keeps that promise. Buffers are readable after `run()` has returned.
 *
 * Numbers are f32; matrices multiply 8-bit activations (see src/kernels/activation.ts) except for F32, F16 and BF16
 * weights. Every backend gives bit-identical results: the order of float operations is fixed by the format and by
 * positions, never by threads, tiles or batch.
 */
export interface Backend {
  readonly name: string;

  /**
   * Uploads a weight matrix. Throws `kernel_unavailable` for a type without kernel, `out_of_memory`; and `model_invalid`
   * for a non-finite scale, which may also come from a later call or from {@link loaded}.
   */
  matrix(source: MatrixSource): Promise<Matrix>;
  /** Waits until every matrix is in place, and throws what was found wrong. */
  loaded(): Promise<void>;
  /** Uploads f32 values: norm weights, biases, frequency factors. */
  vector(values: Float32Array): Vector;
  /** A work buffer: [rows, columns] f32. */
  buffer(rows: number, columns: number): Buffer;
  /** Rows [first, first + count) of a buffer, as a buffer of their own. */
  view(buffer: Buffer, first: number, count: number): Buffer;
  /** Gives back the memory of a matrix that nothing recorded uses any more. */
  free(matrix: Matrix): void;
  /** A paged key-value cache, see {@link KvCache}. */
  kvCache(shape: KvShape): KvCache;

  /** out[i] = row tokens[i] of table. */
  embed(out: Buffer, table: Matrix, tokens: Int32Array): void;
  /** out[i] = matrix * x[i] (+ bias), or out[i] += matrix * x[i] when `accumulate` is set; i < rows. */
  matmul(out: Buffer, matrix: Matrix, x: Buffer, rows: number, options?: { bias?: Vector; accumulate?: boolean }): void;
  /** Several matrices times the same input: quantises the input once. */
  matmuls(products: readonly { out: Buffer; matrix: Matrix; bias?: Vector }[], x: Buffer, rows: number): void;
  /**
   * RMSNorm over consecutive groups of `weight.length` columns (one group: a whole row; several: per-head norms).
   * `out` may be `x`. arXiv:1910.07467.
   */
  rmsNorm(out: Buffer, x: Buffer, weight: Vector, epsilon: number, rows: number): void;
  layerNorm(out: Buffer, x: Buffer, weight: Vector, bias: Vector, epsilon: number, rows: number): void;
  /** Rotates the heads of x in place; row i is at positions[i]. arXiv:2104.09864. */
  rope(x: Buffer, rope: RopeTable, positions: Int32Array, heads: number): void;
  /** A table of rotations for positions 0..maxPosition-1. */
  ropeTable(spec: RopeSpec): RopeTable;
  /** Writes the keys and values of the batch's tokens into their pages. */
  storeKv(cache: KvCache, layer: number, k: Buffer, v: Buffer, batch: BatchLayout): void;
  /** Causal attention of the batch's queries over their sequences' pages (paged, online softmax, GQA). out, q: [tokens, heads * headDim]. */
  attention(out: Buffer, q: Buffer, cache: KvCache, layer: number, batch: BatchLayout, options: AttentionOptions): void;
  /** out = activation(gate) * up; `out` may be `gate`. */
  gate(out: Buffer, gate: Buffer, up: Buffer, kind: 'silu' | 'gelu', rows: number): void;
  /** out += x. */
  add(out: Buffer, x: Buffer, rows: number): void;
  /** x *= factor. */
  scale(x: Buffer, factor: number, rows: number): void;
  /** x = cap * tanh(x / cap). */
  softcap(x: Buffer, cap: number, rows: number): void;
  /** out[i] = x[rows[i]]. */
  gather(out: Buffer, x: Buffer, rows: Int32Array): void;

  /** Which experts each of a batch's tokens goes to, for `tokens` at most. */
  routing(tokens: number, experts: number, used: number): Routing;
  /** Chooses the experts of rows by their scores, see {@link chooseExperts}. logits: [rows, experts] */
  route(routing: Routing, logits: Buffer, rows: number): void;
  /**
   * out[slot] = expert's matrix * x[slot's token], or * x[slot]; a slot for each token and expert that it takes. The
   * experts' matrices lie one below the other in `matrix`, each of out.columns rows, a multiple of 8.
   */
  expertMatmuls(
    products: readonly { out: Buffer; matrix: Matrix }[],
    x: Buffer,
    from: 'tokens' | 'slots',
    routing: Routing,
    rows: number,
  ): void;
  /** out[i] += Σ weight * slot over the token's choices in their order. What is in `slots` is lost. */
  combine(out: Buffer, slots: Buffer, routing: Routing, rows: number): void;

  /**
   * Runs what was recorded; returns the share of it that was done: 1, or less when `giveWay` said so on the way. Buffers and pages
   * that it was to write hold nothing to rely on then. Throws `engine_failed` when a worker died.
   */
  run(giveWay?: GiveWay): number | Promise<number>;
  /** Row `row` of a buffer; a view that the next run() may overwrite. Only after run(). */
  read(buffer: Buffer, row: number): Float32Array;
  /** Overwrites row `row` of a buffer, for tests and for embeddings given by the caller. Only between runs. */
  write(buffer: Buffer, row: number, values: Float32Array): void;

  /** Copies one page of all layers, keys and values, `cache.pageBytes` bytes in a layout of the backend's own. Only between runs. */
  readPage(cache: KvCache, page: number, target: Uint8Array): void;
  /** Overwrites a page with bytes that {@link readPage} gave. Only between runs. */
  writePage(cache: KvCache, page: number, source: Uint8Array): void;

  memory(): MemoryStats;
  close(): Promise<void>;
}

/** Asked again and again while a step runs; true: the rest is not wanted any more. A backend may ask never. */
export type GiveWay = () => boolean;

export interface MatrixSource {
  readonly name: string;
  readonly type: QuantType;
  /** Output features. */
  readonly rows: number;
  /** Input features; the contiguous dimension. */
  readonly columns: number;
  /** Fills `target` with rows [first, first + count) in the file's own layout. */
  readRows(first: number, count: number, target: Uint8Array): Promise<void>;
}

export interface Matrix {
  readonly name: string;
  readonly type: QuantType;
  readonly rows: number;
  readonly columns: number;
}

export interface Vector {
  readonly length: number;
}

export interface Buffer {
  readonly rows: number;
  readonly columns: number;
}

export interface Routing {
  readonly experts: number;
  /** Experts that a token takes. */
  readonly used: number;
}

export interface KvShape {
  readonly layers: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** Pages of {@link pageTokens} tokens; one page number stands for that page in every layer, keys and values. */
  readonly pages: number;
  /** Q8_0: int8 with an f32 scale for 32 dimensions of a position, a bit over half of F16. */
  readonly type: CacheType;
}

/** Tokens in a page of the KV cache. */
export const pageTokens = 32;

export interface KvCache extends KvShape {
  /** Bytes of one page over all layers. */
  readonly pageBytes: number;
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
}

export interface RopeSpec {
  readonly headDim: number;
  /** Leading dimensions of a head that are rotated. */
  readonly dimensions: number;
  /** Pairs (2i, 2i+1), as llama's; or (i, i + dimensions/2), as neox's. */
  readonly style: 'adjacent' | 'halves';
  /** Angle per position of each pair, [dimensions / 2], all scalings applied. */
  readonly frequencies: Float64Array;
  /** Factor on cos and sin (YaRN's attention factor); 1 otherwise. */
  readonly magnitude: number;
  readonly maxPosition: number;
}

export type RopeTable = RopeSpec;

export interface AttentionOptions {
  readonly heads: number;
  /** Factor on q·k, usually 1/sqrt(headDim). */
  readonly scale: number;
  /** Sliding window: a token sees itself and the window - 1 before it. */
  readonly window?: number;
  /** Scores become cap * tanh(score / cap) (gemma2). */
  readonly softcap?: number;
}

/** What a backend holds, in bytes. */
export interface MemoryStats {
  /** Bytes of weights as held for the kernels. */
  readonly weights: number;
  readonly kvCache: number;
  /** Work buffers and scratch. */
  readonly work: number;
}

import type { Buffer, MatmulOptions, Matrix, MatrixSource, Product, Routing, TokenBuffer, Vector } from './handles.ts';
import type { BatchLayout, KvCache, KvShape } from './kv.ts';
import type { SampleRow } from './sample-row.ts';

export * from './handles.ts';
export * from './kv.ts';
export * from './sample-row.ts';

/** A value at once where that costs nothing (the CPU), a promise where it has to come from a device. */
export type MaybePromise<T> = T | Promise<T>;

/**
 * What a model needs from the machine. Operations are *recorded*, not run: `run()` runs everything recorded since the
 * last call, and the effect is as if the operations ran one after the other in the order in which they were recorded.
 * A backend may overlap or fuse whatever keeps that promise.
 *
 * What is made here (matrices, buffers, caches …) belongs to this backend: another one, and a closed one, throws
 * `internal_error` when it is given it.
 *
 * Numbers are f32; matrices multiply 8-bit activations (see src/kernels/activation.ts) except for F32, F16 and BF16
 * weights. Every backend is batch-invariant: a row's result does not depend on which other rows are in the step, nor on
 * how a text is cut into steps. An exact one gives the bits of docs/numerics.md.
 */
export interface Backend {
  readonly name: string;
  readonly traits: Traits;
  /** Whether it computes on a GPU, with a memory of its own. */
  readonly onGpu?: boolean;

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
  /** Room for token ids where the model runs: what {@link sample} writes and {@link embed} takes. */
  tokens(rows: number): TokenBuffer;
  /** A paged key-value cache, see {@link KvCache}. Throws `kernel_unavailable`, `out_of_memory`. */
  kvCache(shape: KvShape): KvCache;
  /** Bytes of one page over all layers, as {@link kvCache} would make it. */
  kvPageBytes(shape: Pick<KvShape, 'layers' | 'type'>): number;

  /** out[i] = row ids[i] of table; zeros where a sampled id is none, see {@link unsampled}. */
  embed(out: Buffer, table: Matrix, ids: Int32Array | TokenBuffer): void;
  /** out[i] = matrix * x[i] (+ bias), or out[i] += matrix * x[i] when `accumulate` is set; i < rows. */
  matmul(out: Buffer, matrix: Matrix, x: Buffer, rows: number, options?: MatmulOptions): void;
  /** Several matrices times the same input: quantises the input once. */
  matmuls(products: readonly Product[], x: Buffer, rows: number): void;
  /**
   * RMSNorm over consecutive groups of `weight.length` columns (one group: a whole row; several: per-head norms).
   * `out` may be `x`. With `weights` the groups have so many of them in turn, which lie one after the other in `weight`; needs the
   * feature `states`. arXiv:1910.07467.
   */
  rmsNorm(out: Buffer, x: Buffer, weight: Vector, epsilon: number, rows: number, weights?: number): void;
  layerNorm(out: Buffer, x: Buffer, weight: Vector, bias: Vector, epsilon: number, rows: number): void;
  /** Rotates the heads of x in place; row i is at positions[i]. arXiv:2104.09864. */
  rope(x: Buffer, rope: RopeTable, positions: Int32Array, heads: number): void;
  /** A table of rotations for positions 0..maxPosition-1. */
  ropeTable(spec: RopeSpec): RopeTable;
  /** Writes the keys and values of the batch's tokens into their pages. */
  storeKv(cache: KvCache, layer: number, k: Buffer, v: Buffer, batch: BatchLayout): void;
  /**
   * Attention of the batch's queries over their sequences' pages (paged, online softmax, GQA): causal, or both ways, see
   * {@link AttentionOptions.twoWay}. out, q: [tokens, heads * headDim].
   */
  attention(out: Buffer, q: Buffer, cache: KvCache, layer: number, batch: BatchLayout, options: AttentionOptions): void;
  /**
   * Writes what a layer of latent attention keeps of the batch's tokens. latent: [tokens, latentDim], which are keys and values;
   * rotated: [tokens, headDim - latentDim], which are keys only
   */
  storeLatent(cache: KvCache, layer: number, latent: Buffer, rotated: Buffer, batch: BatchLayout): void;
  /**
   * Multi-head latent attention with what makes keys and values of a latent absorbed in queries and output (arXiv:2405.04434): all
   * heads see one key, the latent and what is rotated beside it, and the latent is the value.
   * out, queries.latent: [tokens, heads * latentDim]; queries.rotated: [tokens, heads * (headDim - latentDim)]
   */
  attendLatent(
    out: Buffer,
    queries: LatentQueries,
    cache: KvCache,
    layer: number,
    batch: BatchLayout,
    options: LatentOptions,
  ): void;
  /**
   * A matrix for each head: piece h of out[i] = the head's matrix * piece h of x[i]. The heads' matrices lie one below the other in
   * `matrix`, each of out.columns / heads rows, a multiple of 8. x: [rows, heads * matrix.columns]
   */
  headMatmul(out: Buffer, matrix: Matrix, x: Buffer, rows: number, heads: number): void;
  /**
   * Causal depthwise convolution over each sequence's tokens, then SiLU where options say so:
   * out[t][c] = Σ kernel[i][c] * x[t - taps + 1 + i][c] + bias[c], summed from i = 0 on, the bias first. What lies before a
   * segment's tokens is in its state, `options.at` values from where the layer's begins: [taps - 1, columns], the oldest first. `out`
   * is not `x`. kernel: [taps, columns]
   */
  convolve(
    out: Buffer,
    x: Buffer,
    kernel: Vector,
    cache: KvCache,
    layer: number,
    batch: BatchLayout,
    options: ConvolutionOptions,
  ): void;
  /**
   * The gated delta rule, arXiv:2412.06464, token by token: for each value head h, with key head h % keyHeads or as `grouped` has it,
   * and its state S [keyDim, valueDim], `options.at` values from where the layer's states begin, head after head:
   *
   * S *= exp(decay[h] * softplus(alpha[t][h] + shift[h])); S += k ⊗ ((v - Sᵀk) * sigmoid(beta[t][h])); out = Sᵀq
   *
   * with q and k divided by their lengths, sqrt(Σ x² + epsilon), and q by sqrt(keyDim) too. Sums over keyDim go from the first on. How
   * a state lies in a slot is the backend's affair, see {@link Traits.kvLayout}.
   * qkv: [tokens, 2 * keyHeads * keyDim + valueHeads * valueDim]; alpha, beta: [tokens, valueHeads];
   * out: [tokens, valueHeads * valueDim]; decay, shift: [valueHeads]
   */
  deltaRule(
    out: Buffer,
    inputs: DeltaInputs,
    cache: KvCache,
    layer: number,
    batch: BatchLayout,
    shape: DeltaShape,
  ): void;
  /**
   * The selective state space step of Mamba-2, arXiv:2405.21060, token by token: for each head h, of group floor(h * groups / heads),
   * with its state S [stateDim, headDim], `shape.at` values from where the layer's states begin, head after head:
   *
   * rate = softplus(dt[t][h] + shift[h]); S = S * exp(decay[h] * rate) + B ⊗ (x * rate); out = Sᵀ C + skip[h] * x
   *
   * Sums over stateDim go from the first on. How a state lies in a slot is the backend's affair, as with {@link deltaRule}.
   * xbc: [tokens, heads * headDim + 2 * groups * stateDim], every head's x, every group's B, every group's C; dt: [tokens, heads];
   * out: [tokens, heads * headDim]; decay (negative), shift, skip: [heads]
   */
  scan(out: Buffer, inputs: ScanInputs, cache: KvCache, layer: number, batch: BatchLayout, shape: ScanShape): void;
  /** out = activation(gate) * up; `out` may be `gate`. */
  gate(out: Buffer, gate: Buffer, up: Buffer, kind: Gate, rows: number): void;
  /** x = activation(x). */
  activate(x: Buffer, kind: Activation, rows: number): void;
  /** out += x. */
  add(out: Buffer, x: Buffer, rows: number): void;
  /** x *= factor. */
  scale(x: Buffer, factor: number, rows: number): void;
  /** x = cap * tanh(x / cap). */
  softcap(x: Buffer, cap: number, rows: number): void;
  /** out[i] = x[rows[i]]. */
  gather(out: Buffer, x: Buffer, rows: Int32Array): void;
  /**
   * out[i] = the token that rows[i] chooses from logits[i]: a function of the logits, the row's history, its spec and its
   * mask's row, and of nothing else. One of {@link unsampled} where there is none: an error of that row, not of the step.
   *
   * mask: [rows.length, ceil(logits.columns / 32)]; token t is bit t % 32 of word t / 32, and a cleared bit bans it before
   * anything is selected.
   */
  sample(out: TokenBuffer, logits: Buffer, rows: readonly SampleRow[], mask?: Uint32Array): void;

  /** Which experts each of a batch's tokens goes to, for `tokens` at most. */
  routing(tokens: number, experts: number, topK: number): Routing;
  /** Chooses the experts of rows by their scores, see {@link chooseExperts}. logits: [rows, experts] */
  route(routing: Routing, logits: Buffer, rows: number, options?: RouterOptions): void;
  /**
   * out[slot] = expert's matrix * x[slot's token], or * x[slot]; a slot for each token and expert that it takes. The
   * experts' matrices lie one below the other in `matrix`, each of out.columns rows, a multiple of 8; so do their biases.
   */
  expertMatmuls(
    products: readonly Product[],
    x: Buffer,
    from: 'tokens' | 'slots',
    routing: Routing,
    rows: number,
  ): void;
  /** out[i] += Σ weight * slot over the token's choices in their order. What is in `slots` is lost. */
  combine(out: Buffer, slots: Buffer, routing: Routing, rows: number): void;

  /**
   * Pages pairs[2 * i] of all layers are copied to pairs[2 * i + 1], one after the other, behind what was recorded before. Copies
   * are made even where the run that they belong to is preempted. pairs: [copies, 2]
   */
  copyPages(cache: KvCache, pairs: Int32Array): void;
  /** The same with the states in slots. */
  copySlots(cache: KvCache, pairs: Int32Array): void;

  /**
   * Runs what was recorded. `preempt` may stop it on the way; a backend need not ask. What a preempted run was to write (buffers,
   * tokens, pages and next slots of its batch) holds nothing to rely on; the states that it began with are as they were. Throws
   * `engine_failed` when the machine failed.
   */
  run(preempt?: Preempt): MaybePromise<RunOutcome>;
  /** The first `count` ids; a view that the next run() may overwrite. Only after run(). */
  readTokens(tokens: TokenBuffer, count: number): MaybePromise<Int32Array>;
  /** Copies rows of a buffer: log-probabilities and embeddings are made of them. Only after run(). into: [rows.length, columns] */
  download(buffer: Buffer, rows: Int32Array, into: Float32Array): MaybePromise<void>;
  /** Overwrites row `row` of a buffer, for tests and for embeddings given by the caller. Only between runs. */
  write(buffer: Buffer, row: number, values: Float32Array): void;

  /**
   * Copies one page of all layers, keys and values, `cache.pageBytes` bytes in the layout that {@link Traits.kvLayout} names.
   * It is the page as it is when this is called, whatever runs meanwhile. Only between runs.
   */
  readPage(cache: KvCache, page: number, target: Uint8Array): MaybePromise<void>;
  /** Overwrites a page with bytes that {@link readPage} gave; every later run has them. Only between runs. */
  writePage(cache: KvCache, page: number, source: Uint8Array): MaybePromise<void>;
  /** The same for the state in a slot, `cache.slotBytes` bytes. */
  readSlot(cache: KvCache, slot: number, target: Uint8Array): MaybePromise<void>;
  writeSlot(cache: KvCache, slot: number, source: Uint8Array): MaybePromise<void>;

  memory(): MemoryStats;
  close(): Promise<void>;
}

/** What can be relied on. */
export interface Traits {
  /** Whether results are the bits of docs/numerics.md; otherwise they are near to them, and the same on one device. */
  readonly exact: boolean;
  /** Names the order of a page's bytes and of a slot's: those of one name may be put into another cache of the same shape. */
  readonly kvLayout: string;
  /** What it can do of that which not every backend can. A model that needs more is refused before its weights are loaded. */
  readonly features: ReadonlySet<Feature>;
}

/**
 * states: layers that keep a state of fixed size, {@link Backend.convolve}, {@link Backend.deltaRule} and {@link Backend.scan}; sinks:
 * those of {@link AttentionOptions}; expertBiases: those of {@link Backend.expertMatmuls}; two-way: attention to what follows,
 * {@link AttentionOptions.twoWay}; latent: layers that keep a latent, {@link Backend.storeLatent}, {@link Backend.attendLatent} and
 * {@link Backend.headMatmul}.
 */
export type Feature = (typeof everyFeature)[number];
export const everyFeature = ['states', 'sinks', 'expertBiases', 'two-way', 'latent'] as const;

/** What a value goes through on its own; relu2: max(x, 0) squared, arXiv:2109.08668. */
export type Activation = (typeof everyActivation)[number];
export const everyActivation = ['silu', 'gelu', 'sigmoid', 'relu2'] as const;

/**
 * What a gate goes through; a sigmoid's is that of an output, a linear one is multiplied as it is. swiglu_oai clamps both, and what
 * is gated is up + 1 (gpt-oss).
 */
export type Gate = (typeof everyGate)[number];
export const everyGate = [...everyActivation, 'linear', 'swiglu_oai'] as const;

export interface ConvolutionOptions {
  /** Tokens that a sum is over, its own the last. */
  readonly taps: number;
  readonly bias?: Vector | undefined;
  readonly activation?: 'silu' | undefined;
  readonly at?: number | undefined;
}

export interface DeltaInputs {
  readonly qkv: Buffer;
  readonly alpha: Buffer;
  readonly beta: Buffer;
  readonly decay: Vector;
  readonly shift: Vector;
}

export interface DeltaShape {
  readonly keyHeads: number;
  readonly keyDim: number;
  /** A multiple of keyHeads. */
  readonly valueHeads: number;
  readonly valueDim: number;
  /** Whether neighbouring value heads share a key head, floor(h / (valueHeads / keyHeads)), in place of h % keyHeads. */
  readonly grouped?: boolean | undefined;
  readonly epsilon: number;
  readonly at?: number | undefined;
}

export interface ScanInputs {
  readonly xbc: Buffer;
  readonly dt: Buffer;
  readonly decay: Vector;
  readonly shift: Vector;
  readonly skip: Vector;
}

export interface ScanShape {
  /** A multiple of groups. */
  readonly heads: number;
  readonly headDim: number;
  readonly groups: number;
  readonly stateDim: number;
  readonly at?: number | undefined;
}

/** Asked again and again while a step runs; true: the rest is not wanted any more. */
export type Preempt = () => boolean;

/** What became of a run; `fraction`: how much of its work was done when it was preempted. */
export type RunOutcome = { readonly kind: 'done' } | { readonly kind: 'preempted'; readonly fraction: number };

/** The outcome of every run that was not preempted, so that the CPU makes no object for it. */
export const done: RunOutcome = { kind: 'done' };

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
  /** A further factor by position: queries that are sharpened far behind the context a model was first trained for. */
  readonly temperature?: ((position: number) => number) | undefined;
  readonly maxPosition: number;
}

export type RopeTable = RopeSpec;

export interface AttentionOptions {
  readonly heads: number;
  /** Factor on q·k, usually 1/sqrt(headDim). */
  readonly scale: number;
  /** Sliding window: a token sees itself and the window - 1 before it. */
  readonly window?: number | undefined;
  /**
   * A token sees its whole text, which must be in one segment from position 0 on; with a window those at most half of it, rounded
   * down, before and behind it.
   */
  readonly twoWay?: boolean | undefined;
  /** Scores become cap * tanh(score / cap) (gemma2). */
  readonly softcap?: number | undefined;
  /** A score for each head that has no value: it takes its share of the softmax, arXiv:2309.17453 (gpt-oss). [heads] */
  readonly sinks?: Vector | undefined;
}

export interface LatentQueries {
  readonly latent: Buffer;
  readonly rotated: Buffer;
}

export type LatentOptions = Pick<AttentionOptions, 'heads' | 'scale'>;

/** How experts are chosen and weighted, where that is not by the softmax of all scores, divided by the sum of the chosen. */
export interface RouterOptions {
  /** What becomes of scores; `chosen`: the softmax of those of the chosen only, by their scores (gpt-oss). Default softmax. */
  readonly kind?: 'softmax' | 'sigmoid' | 'chosen' | undefined;
  /** Added where experts are chosen, and not to their weights, arXiv:2408.15664. [experts] */
  readonly bias?: Vector | undefined;
  /** Only experts of the `used` best of `count` groups are chosen, arXiv:2412.19437. A group has two experts or more. */
  readonly groups?: { readonly count: number; readonly used: number } | undefined;
  /** Whether the chosen's weights are divided by their sum; so are always those of `chosen`. Default true. */
  readonly normalised?: boolean | undefined;
  /** Factors on the weights of each expert, after that (gemma 4). [experts] */
  readonly scales?: Vector | undefined;
  /** Factor on all weights, last. */
  readonly scale?: number | undefined;
}

/** What a backend holds, in bytes. */
export interface MemoryStats {
  /** Bytes of weights as held for the kernels. */
  readonly weights: number;
  readonly kvCache: number;
  /** Work buffers and scratch. */
  readonly work: number;
  /** Of all this, what lies in a GPU's own memory; absent: nothing. */
  readonly gpu?: number;
}

import type {
  Backend,
  BatchLayout,
  CacheType,
  Feature,
  LayerShape,
  MaybePromise,
  MemoryStats,
  Preempt,
  RunOutcome,
  SampleRow,
  Segment,
} from '../backend/backend.ts';
import type { GgufFile } from '../gguf/types.ts';
import type { Token } from '../tokenizer/types.ts';
import type { ModelConfig } from './config.ts';
import type { Pooling } from './pooling.ts';

/** One step's input: tokens, where they belong, and which rows' logits are wanted. */
export interface Batch extends BatchLayout {
  readonly segments: readonly AdaptedSegment[];
  /** [tokens] */
  readonly ids: Int32Array;
  /** [tokens] */
  readonly positions: Int32Array;
  /** Embeddings that the caller has, in the place of what {@link ids} names there; absent: none. */
  readonly given?: GivenRows | undefined;
  /** Rows of the batch whose logits are computed. */
  readonly outputs: Int32Array;
  /** How the tokens behind the first of the outputs are chosen; absent: none is. See {@link Model.tokens}. */
  readonly sampling?: BatchSampling | undefined;
  /** Whether the final hidden states are wanted: see {@link Model.states}. */
  readonly states?: boolean;
}

/**
 * The seam for what is no token, such as the patches of an image that an encoder has turned into rows of this width. They are what
 * the first layer gets: a scale that the model puts on its tokens' embeddings, or an adapter of these, does not touch them.
 */
export interface GivenRows {
  /** Rows of the batch, rising. Their ids are any tokens. */
  readonly rows: Int32Array;
  /** [rows.length, width] */
  readonly values: Float32Array;
}

export interface BatchSampling {
  /** For no more than there are outputs. */
  readonly rows: readonly SampleRow[];
  /** Which tokens may be chosen: [rows.length, ceil(vocabSize / 32)], a bit each; absent: all. */
  readonly mask?: Uint32Array | undefined;
}

/** A segment and the adapter that its sequence runs with. */
export interface AdaptedSegment extends Segment {
  readonly adapter?: Adapter | undefined;
}

/** Low-rank changes to a model's matrices (LoRA), loaded beside it; made by {@link Model.loadAdapter}. arXiv:2106.09685 */
export interface Adapter {
  /** Bytes of its weights as held for the kernels. */
  readonly bytes: number;
}

/** What follows the pooling of a text: makes another vector of a pooled one, or a score where the model ranks. */
export interface Head {
  apply(pooled: ArrayLike<number>): Float64Array;
}

/** A loaded model: weights on a backend and the decoder that runs a batch through them. */
export interface Model {
  readonly architecture: string;
  readonly vocabSize: number;
  readonly width: number;
  readonly layers: number;
  /** Context the model was trained for, tokens. */
  readonly trainedContext: number;
  /** Most tokens that one batch may hold. */
  readonly maxBatchTokens: number;
  /** Most rows of logits that one batch may ask for. */
  readonly maxOutputs: number;
  /** Pages of the KV cache. */
  readonly pages: number;
  /** Bytes of one page of the KV cache over all layers. */
  readonly pageBytes: number;
  /** Slots for states of fixed size, and bytes of one; 0 where no layer keeps a state. Then a sequence that runs needs one. */
  readonly slots: number;
  readonly slotBytes: number;
  /** Names the order of the bytes of a page and of a slot, see {@link Traits}. */
  readonly kvLayout: string;
  /** Bytes of KV cache per token. */
  readonly kvBytesPerToken: number;
  /** How the hidden states of a text become one embedding, as the file says. */
  readonly pooling: Pooling | undefined;
  /** What becomes of what was pooled: of each text's embedding, or its score where the pooling is `rank`. */
  readonly head?: Head | undefined;
  /** It sees whole texts, which must be in one batch each, and makes no tokens: `logits` and `tokens` fail. */
  readonly encoder?: boolean | undefined;
  /** Runs one batch, behind the copies that were asked for. One that was preempted counts as not run at all. */
  run(batch: Batch, preempt?: Preempt): MaybePromise<RunOutcome>;
  /** The tokens chosen behind the first `count` outputs, or what stands in place of one; valid until the next run. */
  tokens(count: number): MaybePromise<Int32Array>;
  /** Copies logits of the last batch's outputs. into: [outputs.length, vocabSize] */
  logits(outputs: Int32Array, into: Float32Array): MaybePromise<void>;
  /** Copies final hidden states of the last batch's rows, after the last norm. Only if batch.states. into: [rows.length, width] */
  states(rows: Int32Array, into: Float32Array): MaybePromise<void>;
  /**
   * Loads an adapter; between steps too. The file may be closed afterwards. Throws `adapter_invalid`, `out_of_memory`; the
   * model is as it was then.
   */
  loadAdapter(file: GgufFile): Promise<Adapter>;
  /** Frees an adapter that no later batch uses. */
  unloadAdapter(adapter: Adapter): void;
  /** Copies pages onto others, one after the other. Only between runs. pairs: [copies, 2] */
  copyPages(pairs: Int32Array): void;
  /** The same with the states in slots. */
  copySlots(pairs: Int32Array): void;
  /** Copies a page, pageBytes bytes in the layout {@link kvLayout}. Only between runs. */
  readPage(page: number, target: Uint8Array): MaybePromise<void>;
  /** Overwrites a page with what {@link readPage} gave. Only between runs. */
  writePage(page: number, source: Uint8Array): MaybePromise<void>;
  /** The same with the state in a slot, slotBytes bytes. */
  readSlot(slot: number, target: Uint8Array): MaybePromise<void>;
  writeSlot(slot: number, source: Uint8Array): MaybePromise<void>;
  memory(): MemoryStats;
  close(): Promise<void>;
}

export interface ModelOptions {
  /** Tokens that the KV cache holds over all sequences. */
  readonly kvTokens: number;
  /** What the KV cache holds. Default F16. */
  readonly kvType?: CacheType | undefined;
  readonly maxBatchTokens: number;
  readonly maxOutputs: number;
  /** States that are held at once, in models whose layers keep one: two for each sequence that runs, and snapshots. */
  readonly stateSlots?: number | undefined;
  /** Called while weights load, bytes of the file. */
  readonly onProgress?: ((loaded: number, total: number) => void) | undefined;
}

/** The sizes of a model, and what each of its layers keeps of a sequence. */
export interface Description {
  readonly config: ModelConfig;
  readonly cache: readonly LayerShape[];
  readonly encoder?: boolean | undefined;
}

/** What {@link loadModel} finds by GGUF's `general.architecture`; made by `defineArchitecture`. */
export interface Architecture {
  readonly name: string;
  /** What not every backend can do. */
  readonly needs: readonly Feature[];
  /** What the file's own numbers say, before anything is loaded. Throws `model_invalid`. */
  describe(file: GgufFile): Description;
  load(file: GgufFile, backend: Backend, options: ModelOptions): Promise<Model>;
}

export type { Token };

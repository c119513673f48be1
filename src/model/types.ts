import type { Backend, BatchLayout, CacheType, GiveWay, MemoryStats, Segment } from '../backend/backend.ts';
import type { GgufFile } from '../gguf/types.ts';
import type { Token } from '../tokenizer/types.ts';
import type { Pooling } from './pooling.ts';

/** One step's input: tokens, where they belong, and which rows' logits are wanted. */
export interface Batch extends BatchLayout {
  readonly segments: readonly AdaptedSegment[];
  /** [tokens] */
  readonly ids: Int32Array;
  /** [tokens] */
  readonly positions: Int32Array;
  /** Rows of the batch whose logits are computed, ascending. */
  readonly outputs: Int32Array;
  /** Whether the final hidden states are wanted: see {@link Model.state}. */
  readonly states?: boolean;
}

/** A segment and the adapter that its sequence runs with. */
export interface AdaptedSegment extends Segment {
  readonly adapter?: Adapter;
}

/** Low-rank changes to a model's matrices (LoRA), loaded beside it; made by {@link Model.loadAdapter}. arXiv:2106.09685 */
export interface Adapter {
  /** Bytes of its weights as held for the kernels. */
  readonly bytes: number;
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
  /** Bytes of KV cache per token. */
  readonly kvBytesPerToken: number;
  /** How the hidden states of a text become one embedding, as the file says. */
  readonly pooling: Pooling | undefined;
  /**
   * Runs one batch; afterwards logits(i) is the [vocabSize] row of batch.outputs[i], valid until the next run. Returns the share
   * that was done: less than 1 when `preempt` said so on the way, and then the batch counts as not run at all.
   */
  run(batch: Batch, preempt?: GiveWay): number | Promise<number>;
  logits(output: number): Float32Array;
  /** Final hidden state of the batch's row, after the last norm, [width]; valid until the next run. Only if batch.states. */
  state(row: number): Float32Array;
  /**
   * Loads an adapter; between steps too. The file may be closed afterwards. Throws `adapter_invalid`, `out_of_memory`; the
   * model is as it was then.
   */
  loadAdapter(file: GgufFile): Promise<Adapter>;
  /** Frees an adapter that no later batch uses. */
  unloadAdapter(adapter: Adapter): void;
  /** Copies a page, pageBytes bytes in a layout of the backend's own. Only between runs. */
  readPage(page: number, target: Uint8Array): void;
  /** Overwrites a page with what {@link readPage} gave. Only between runs. */
  writePage(page: number, source: Uint8Array): void;
  memory(): MemoryStats;
  close(): Promise<void>;
}

export interface ModelOptions {
  /** Tokens that the KV cache holds over all sequences. */
  readonly kvTokens: number;
  /** What the KV cache holds. Default F16. */
  readonly kvType?: CacheType;
  readonly maxBatchTokens: number;
  readonly maxOutputs: number;
  /** Called while weights load, bytes of the file. */
  readonly onProgress?: (loaded: number, total: number) => void;
}

/** What {@link loadModel} finds by GGUF's `general.architecture`; made by `defineArchitecture`. */
export interface Architecture {
  readonly name: string;
  load(file: GgufFile, backend: Backend, options: ModelOptions): Promise<Model>;
}

export type { Token };

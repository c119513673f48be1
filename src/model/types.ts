import type { Backend, BatchLayout, MemoryStats } from '../backend/backend.ts';
import type { GgufFile } from '../gguf/types.ts';
import type { Token } from '../tokenizer/types.ts';

/** One step's input: tokens, where they belong, and which rows' logits are wanted. */
export interface Batch extends BatchLayout {
  /** [tokens] */
  readonly ids: Int32Array;
  /** [tokens] */
  readonly positions: Int32Array;
  /** Rows of the batch whose logits are computed, ascending. */
  readonly outputs: Int32Array;
}

/** A loaded model: weights on a backend and the recipe that runs a batch through them. */
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
  /** Bytes of KV cache per token. */
  readonly kvBytesPerToken: number;
  /** Runs one batch; afterwards logits(i) is the [vocabSize] row of batch.outputs[i], valid until the next run. */
  run(batch: Batch): void | Promise<void>;
  logits(output: number): Float32Array;
  memory(): MemoryStats;
  close(): Promise<void>;
}

export interface ModelOptions {
  /** Tokens that the KV cache holds over all sequences. */
  readonly kvTokens: number;
  readonly maxBatchTokens: number;
  readonly maxOutputs: number;
  /** Called while weights load, bytes of the file. */
  readonly onProgress?: (loaded: number, total: number) => void;
}

/** One file per architecture: a name in GGUF's `general.architecture` and a loader. */
export interface Architecture {
  readonly name: string;
  load(file: GgufFile, backend: Backend, options: ModelOptions): Promise<Model>;
}

export type { Token };

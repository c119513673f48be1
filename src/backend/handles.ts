/** What a backend holds for its callers: matrices, vectors, buffers. */
import type { QuantType } from '../quant/types.ts';

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
  /** Never there: it keeps one kind of handle from being taken for another. */
  readonly handle?: 'matrix';
  readonly name: string;
  readonly type: QuantType;
  readonly rows: number;
  readonly columns: number;
}

export interface Vector {
  readonly handle?: 'vector';
  readonly length: number;
}

export interface Buffer {
  readonly handle?: 'buffer';
  readonly rows: number;
  readonly columns: number;
}

export interface TokenBuffer {
  readonly handle?: 'tokens';
  readonly rows: number;
}

export interface Routing {
  readonly handle?: 'routing';
  readonly experts: number;
  /** Experts that a token takes. */
  readonly topK: number;
}

/** One of several matrices that are multiplied with the same input. */
export interface Product {
  readonly out: Buffer;
  readonly matrix: Matrix;
  readonly bias?: Vector | undefined;
}

export interface MatmulOptions {
  readonly bias?: Vector | undefined;
  /** Adds to `out` what is otherwise written there. */
  readonly accumulate?: boolean | undefined;
}

/**
 * Inputs of products as 8-bit blocks, in a scratch of work memory that the next input overwrites: dispatches run one after the
 * other. A token's words: those of its codes, [8][pieces] (neighbouring invocations have neighbouring pieces); the sums of
 * each 16 codes, two in a word, [pieces]; scales, [blocks].
 */
import type { Context } from './context.ts';
import type { GpuWorkBuffer } from './handles.ts';
import { pieceColumns } from './layout.ts';
import { quantize } from './ops/quantize.ts';

/** Where tokens of some input lie, in words. */
export interface Activations {
  readonly x: number;
  readonly perToken: number;
}

export class Quantizer {
  readonly #context: Context;
  #at = 0;
  #words = 0;

  constructor(context: Context) {
    this.#context = context;
  }

  /** `blockSize`: 1 leaves the input as it is. */
  ready(x: GpuWorkBuffer, rows: number, blockSize: number): Activations {
    if (blockSize === 1) return { x: x.at, perToken: x.stride };
    const pieces = x.columns / pieceColumns;
    const perToken = Math.ceil((9 * pieces + x.columns / blockSize) / 16) * 16;
    const out = { x: this.#reserve(perToken * rows), perToken };
    quantize(this.#context, out, x, rows, blockSize);
    return out;
  }

  #reserve(words: number): number {
    if (words <= this.#words) return this.#at;
    this.#words = Math.max(2 * words, 1 << 14);
    this.#at = this.#context.work.take(this.#words);
    return this.#at;
  }
}

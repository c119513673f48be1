/** Inputs of products as 8-bit blocks, in a scratch that the next input overwrites: dispatches run one after the other. */
import type { Context } from './context.ts';
import type { GpuWorkBuffer } from './handles.ts';
import { type Activations, activationWords, quantize } from './ops/quantize.ts';

export class Quantizer {
  readonly #context: Context;
  #at = 0;
  #words = 0;

  constructor(context: Context) {
    this.#context = context;
  }

  /** Rows of x for weights in blocks of so many; floats are multiplied as they are. */
  ready(x: GpuWorkBuffer, rows: number, blockSize: number): Activations {
    if (blockSize === 1) return { x: x.at, perToken: x.stride };
    const perToken = activationWords(x.columns, blockSize);
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

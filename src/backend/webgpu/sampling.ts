/** Chooses tokens. */
import type { SampleRow } from '../backend.ts';
import { Samplers } from '../sampling/sample-rows.ts';
import type { Context } from './context.ts';
import type { GpuTokens, GpuWorkBuffer } from './handles.ts';

export class Sampling {
  readonly #context: Context;
  readonly #samplers = new Samplers();
  /** The ids that are in a buffer, or will be. */
  readonly #ids = new WeakMap<GpuTokens, Promise<Int32Array>>();

  constructor(context: Context) {
    this.#context = context;
  }

  tokens(rows: number): GpuTokens {
    const { work, owner } = this.#context;
    return { owner, rows, at: work.take(rows) };
  }

  /** Records the choice, see {@link Backend.sample}. */
  sample(out: GpuTokens, logits: GpuWorkBuffer, rows: readonly SampleRow[], mask?: Uint32Array): void {
    if (rows.length === 0) return;
    this.#context.recorder.host(() => {
      const ids = this.#onHost(out, logits, rows, mask);
      this.#ids.set(out, ids);
      return ids;
    });
  }

  /** The first `count` ids. Throws `engine_failed`. */
  async read(tokens: GpuTokens, count: number): Promise<Int32Array> {
    const ids = await this.#ids.get(tokens);
    return ids ? ids.subarray(0, count) : new Int32Array(count);
  }

  /** Brings the rows back whole, and puts the ids where kernels find them. */
  async #onHost(
    out: GpuTokens,
    { at, stride, columns }: GpuWorkBuffer,
    rows: readonly SampleRow[],
    mask?: Uint32Array,
  ): Promise<Int32Array> {
    const { readback, work } = this.#context;
    const parts = rows.map((_, i) => ({ buffer: work.buffer(), at: 4 * (at + i * stride), bytes: 4 * columns }));
    const values = new Float32Array((await readback.read(parts)).buffer);
    const ids = new Int32Array(rows.length);
    const row = (i: number) => values.subarray(i * columns, (i + 1) * columns);
    this.#samplers.sample(ids, columns, row, rows, mask);
    work.write(out.at, ids);
    return ids;
  }
}

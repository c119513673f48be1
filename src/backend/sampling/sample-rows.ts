import { type SampleRow, unsampled } from '../backend.ts';
import { Sampler } from './sampler.ts';

/** A backend's samplers by the size of the vocabulary: their scratch memory is shared by all rows. */
export class Samplers {
  readonly #samplers = new Map<number, Sampler>();

  /** {@link Backend.sample} on the CPU: `logits(i)` is row i of `columns` logits. */
  sample(
    out: Int32Array,
    columns: number,
    logits: (row: number) => Float32Array,
    rows: readonly SampleRow[],
    mask?: Uint32Array,
  ): void {
    const sampler = this.of(columns);
    const words = Math.ceil(columns / 32);
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i];
      // What is computed behind a wrong guess is not wanted, nor what comes behind that.
      if (row.guessed && out[i - 1] !== row.tokens[row.length - 1]) out[i] = unsampled.leftOut;
      else {
        const allowed = row.unmasked ? undefined : mask?.subarray(i * words, (i + 1) * words);
        out[i] = sampler.sample(logits(i), row, row.spec, allowed);
      }
    }
  }

  /** That of a vocabulary. */
  of(columns: number): Sampler {
    const known = this.#samplers.get(columns);
    if (known) return known;
    const sampler = new Sampler(columns);
    this.#samplers.set(columns, sampler);
    return sampler;
  }
}

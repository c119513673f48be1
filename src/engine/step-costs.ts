import type { DraftCosts } from './draft-length.ts';

/** What one observation weighs against all before it. */
const decay = 31 / 32;
/** Taken for granted until it is measured. */
const assumed = { row: 0.15, pass: 0.15 };

/** How long steps take by their rows, and passes of the model that drafts: a line through what was seen lately, and an average. */
export class StepCosts {
  #sums = { n: 0, x: 0, y: 0, xx: 0, xy: 0 };
  #passMs: number | undefined;

  /** A step in which nothing but decoding and checking drafts went on. */
  step(rows: number, ms: number): void {
    const { n, x, y, xx, xy } = this.#sums;
    const next = { n: n + 1, x: x + rows, y: y + ms, xx: xx + rows * rows, xy: xy + rows * ms };
    for (const key of ['n', 'x', 'y', 'xx', 'xy'] as const) this.#sums[key] = next[key] * decay;
  }

  pass(ms: number): void {
    this.#passMs = this.#passMs === undefined ? ms : this.#passMs + (ms - this.#passMs) * (1 - decay);
  }

  /** For a step with `sequences` that decode. */
  costs(sequences: number): DraftCosts {
    const { n, x, y, xx, xy } = this.#sums;
    if (y === 0) return assumed;
    const spread = xx / n - (x / n) ** 2;
    const mean = y / n;
    const slope = spread > 0.05 ? Math.max(0, (xy / n - (x / n) * mean) / spread) : undefined;
    const plain = Math.max(mean / 4, mean + (slope ?? 0) * (sequences - x / n));
    return {
      row: slope === undefined ? assumed.row : (slope * sequences) / plain,
      pass: this.#passMs === undefined ? assumed.pass : this.#passMs / plain,
    };
  }
}

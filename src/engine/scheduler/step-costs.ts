import { isDecoding, isScored } from '../sequence.ts';
import type { Work } from './plan.ts';
import { PromptCosts } from './prompt-costs.ts';

/** What drafts cost, in shares of what a step without them takes for each of its sequences. */
export interface DraftCosts {
  /** A row more in the model's step. */
  readonly row: number;
  /** A pass of the model that drafts. */
  readonly pass: number;
  /** A row that goes through the model again where a draft was not all right; absent: none does. */
  readonly again?: number | undefined;
}

/** What one observation weighs against all before it. */
const decay = 31 / 32;
/** Taken for granted until it is measured. */
const assumed = { row: 0.15, pass: 0.15 };

/**
 * How long steps take: those in which nothing but decoding and checking drafts goes on, by their rows (a line through what was
 * seen lately); what prompt tokens add to them; and passes of the model that drafts.
 */
export class StepCosts {
  readonly #prompts = new PromptCosts();
  #sums = { n: 0, x: 0, y: 0, xx: 0, xy: 0 };
  #passMs: number | undefined;

  /** A step took so long; call before its work is committed. */
  step(work: readonly Work[], ms: number): void {
    const prompts = work.filter(({ sequence }) => !isDecoding(sequence));
    const decoding = work.filter(({ sequence }) => isDecoding(sequence));
    const rows = decoding.reduce((sum, { count, draft }) => sum + count + draft.length, 0);
    if (prompts.length === 0) return this.#decoded(rows, ms);
    // Rows of logits cost what prompts without them do not.
    if (prompts.some(({ sequence }) => isScored(sequence))) return;
    const pieces = prompts.map(({ sequence, count }) => ({ position: sequence.computed, count }));
    this.#prompts.measured(pieces, ms - (rows > 0 ? this.#plainMs(rows) : 0));
  }

  pass(ms: number): void {
    this.#passMs = this.#passMs === undefined ? ms : this.#passMs + (ms - this.#passMs) * (1 - decay);
  }

  /**
   * Prompt tokens at `position` that take `ms` in a step in which `sequences` decode, or as long as these take without them where
   * that is longer: a large model's sequences wait no more than twice as long for their tokens then.
   */
  promptTokens(position: number, sequences: number, ms: number): number {
    return Math.max(ms, this.#plainMs(sequences)) / this.#prompts.price(position);
  }

  /** Prompt tokens at `position` that take as long as so many at the beginning of a prompt. */
  tokensAsLong(position: number, tokens: number): number {
    return (tokens * this.#prompts.price(0)) / this.#prompts.price(position);
  }

  /** For a step with `sequences` that decode. */
  costs(sequences: number): DraftCosts {
    if (this.#sums.y <= 0) return assumed;
    const slope = this.#slope();
    const plain = this.#plainMs(sequences);
    return {
      row: slope === undefined ? assumed.row : (slope * sequences) / plain,
      pass: this.#passMs === undefined ? assumed.pass : this.#passMs / plain,
    };
  }

  #decoded(rows: number, ms: number): void {
    const { n, x, y, xx, xy } = this.#sums;
    const next = { n: n + 1, x: x + rows, y: y + ms, xx: xx + rows * rows, xy: xy + rows * ms };
    for (const key of ['n', 'x', 'y', 'xx', 'xy'] as const) this.#sums[key] = next[key] * decay;
  }

  /** Milliseconds of a step in which `rows` sequences decode; 0 until it is measured. */
  #plainMs(rows: number): number {
    const { n, x, y } = this.#sums;
    if (y <= 0) return 0;
    return Math.max(y / n / 4, y / n + (this.#slope() ?? 0) * (rows - x / n));
  }

  /** Milliseconds of a row more; undefined while all steps had as many. */
  #slope(): number | undefined {
    const { n, x, y, xx, xy } = this.#sums;
    const spread = xx / n - (x / n) ** 2;
    return spread > 0.05 ? Math.max(0, (xy / n - ((x / n) * y) / n) / spread) : undefined;
  }
}

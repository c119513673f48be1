import type { DraftCosts } from '../scheduler/step-costs.ts';

/** Tokens without drafts once they do not pay; doubled each time in a row. */
const shortestPause = 64;
const longestPause = 1024;
/** Weight of one judged token in the rate. */
const weight = 1 / 16;
/** Drafts must promise this much to be made: what is measured is not exact. */
const worthwhile = 1.05;
/** What a sequence is given to try again with after a pause. */
const hopeful = 0.6;

/**
 * How many tokens a model should draft for one sequence: as many as bring most tokens in a time, by how often they were right and
 * what they cost; none where plain decoding is as fast. arXiv:2211.17192, section 3.3.
 */
export class DraftLength {
  /** Share of drafted tokens that were right. */
  rate: number;
  #pause = 0;
  #pauses = 0;

  constructor(rate: number) {
    this.rate = rate;
  }

  /** Of a rate for new sequences: without drafts it would never rise again. */
  drift(): void {
    if (this.rate < hopeful) this.rate += weight * (hopeful - this.rate);
  }

  next(costs: DraftCosts, most: number): number {
    if (this.#pause > 0) {
      if (--this.#pause === 0) this.rate = Math.max(this.rate, hopeful);
      return 0;
    }
    const best = bestLength(this.rate, costs, most);
    if (best === 0 && most > 0) this.#pause = Math.min(longestPause, shortestPause << this.#pauses++);
    else if (this.rate > hopeful) this.#pauses = 0;
    return best;
  }

  learn(drafted: number, accepted: number): void {
    for (let i = 0; i < accepted; i++) this.rate += weight * (1 - this.rate);
    if (accepted < drafted) this.rate -= weight * this.rate;
  }
}

/** Length from 0 to `most` with the most expected tokens in a time. */
export function bestLength(rate: number, { row, pass, again = 0 }: DraftCosts, most: number): number {
  let [best, gain] = [0, worthwhile];
  for (let length = 1, tokens = 1, right = 1, repeated = 0; length <= most; length++) {
    // The row before it and those that were right, where it is the first that is wrong.
    repeated += right * (1 - rate) * length;
    right *= rate;
    tokens += right;
    const speed = tokens / (1 + length * (row + pass) + repeated * again);
    if (speed > gain) [best, gain] = [length, speed];
  }
  return best;
}

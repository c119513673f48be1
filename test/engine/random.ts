import { philox } from '../../src/backend/sampling/random.ts';

/** The seed's random numbers, one after the other. */
export class Random {
  readonly #seed: number;
  #index = 0;

  constructor(seed: number) {
    this.#seed = seed;
  }

  #next(): number {
    return philox([this.#index++, 0, 0, 0], this.#seed, 0)[0] / 2 ** 32;
  }

  /** From `low` to `high`, both included. */
  int(low: number, high: number): number {
    return low + Math.floor(this.#next() * (high - low + 1));
  }

  chance(probability: number): boolean {
    return this.#next() < probability;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.int(0, from.length - 1)]!;
  }
}

/** What one observation weighs against all before it. */
const weight = 1 / 4;
/** No single step changes a price by more than its weight in this much: the machine may have been busy with something else. */
const mostOff = 2;
/** Taken for granted until the first prompt was measured, milliseconds a token. */
const assumed = 1;
/** What a coarse clock may make of it. */
const leastPrice = 1e-3;
/** Positions below this cost alike; beyond it, the classes double. */
const firstClass = 512;

/** A piece of a prompt in a step: `count` tokens from `position` on. */
export interface PromptPiece {
  readonly position: number;
  readonly count: number;
}

/** How long prompt tokens take by their position, as measured: attention over what stands before them costs more and more. */
export class PromptCosts {
  /** Milliseconds a token, by class of position; only of those that were met. */
  readonly #prices: (number | undefined)[] = [];

  /** Milliseconds that a token at `position` takes. */
  price(position: number): number {
    const own = classOf(position);
    const known = this.#prices.findLast((price, near) => price !== undefined && near <= own);
    return known ?? this.#prices.find(price => price !== undefined) ?? assumed;
  }

  /** The pieces of one step took so long together. Each is taken to have been off by as much. */
  measured(pieces: readonly PromptPiece[], ms: number): void {
    const known = this.#prices.some(price => price !== undefined);
    const expected = pieces.reduce((sum, { position, count }) => sum + count * this.price(position), 0);
    if (expected === 0 || (ms <= 0 && !known)) return;
    const off = Math.min(mostOff, Math.max(1 / mostOff, ms / expected));
    const change = known ? 1 + weight * (off - 1) : ms / expected;
    const prices = pieces.map(({ position }) => Math.max(leastPrice, this.price(position) * change));
    for (const [i, { position }] of pieces.entries()) this.#prices[classOf(position)] = prices[i];
  }
}

function classOf(position: number): number {
  return Math.max(0, Math.floor(Math.log2(position / firstClass)) + 1);
}

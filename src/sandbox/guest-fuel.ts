import { SLICE_FUEL } from './limits.ts';

/** What a run of a metered program has used of its fuel; a program that is not metered (a built-in one) uses none. */
export class GuestFuel {
  readonly #limit: number;
  /** Counted down by the program itself; below 0 it asks for more. */
  #left: WebAssembly.Global | undefined;
  #granted = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Begins to count: `left` is the program's counter. */
  attach(left: WebAssembly.Global): void {
    this.#left = left;
    this.#grant(Number(left.value));
  }

  /** Until now: the same in every run of the same program on the same input, and answers. */
  get used(): number {
    return this.#left ? this.#granted - Number(this.#left.value) : 0;
  }

  /** Whether the run has used all that it may. */
  get isSpent(): boolean {
    return this.used > this.#limit;
  }

  /** What the host does for the program takes fuel too; if that was too much, the program asks for more when it goes on. */
  spend(units: number): void {
    if (this.#left) this.#left.value -= BigInt(Math.ceil(units));
  }

  /** The fuel of one more turn; false: that is not enough for what it has done already. */
  refill(): boolean {
    const left = Number(this.#left!.value);
    this.#grant(left);
    return Number(this.#left!.value) >= 0;
  }

  #grant(left: number): void {
    const more = Math.min(SLICE_FUEL, this.#limit - this.#granted);
    this.#granted += more;
    this.#left!.value = BigInt(left + more);
  }
}

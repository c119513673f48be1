import { SLICE_FUEL } from './limits.ts';

/** What a run of a metered program has used of its fuel; a program that is not metered (a built-in one) uses none. */
export class GuestFuel {
  readonly #limit: number;
  /** Counted down by the program itself; below 0 it asks for more. */
  #counter: WebAssembly.Global | undefined;
  #granted = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Begins to count: `counter` is the program's. */
  attach(counter: WebAssembly.Global): void {
    this.#counter = counter;
    this.#grant(Number(counter.value));
  }

  /** Until now: the same in every run of the same program on the same input, and answers. */
  get used(): number {
    return this.#counter ? this.#granted - Number(this.#counter.value) : 0;
  }

  get left(): number {
    return Math.max(0, this.#limit - this.used);
  }

  /** Whether the run has used all that it may. */
  get isSpent(): boolean {
    return this.used > this.#limit;
  }

  /** What the host does for the program takes fuel too; if that was too much, the program asks for more when it goes on. */
  spend(units: number): void {
    if (this.#counter) this.#counter.value -= BigInt(Math.ceil(units));
  }

  /** The fuel of one more turn; false: that is not enough for what it has done already. */
  refill(): boolean {
    const left = Number(this.#counter!.value);
    this.#grant(left);
    return Number(this.#counter!.value) >= 0;
  }

  #grant(left: number): void {
    const more = Math.min(SLICE_FUEL, this.#limit - this.#granted);
    this.#granted += more;
    this.#counter!.value = BigInt(left + more);
  }
}

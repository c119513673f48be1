/** What the memories of all guests of a place may take together. */
export class PlaceMemory {
  readonly #budget: number;
  readonly #taken = new Map<number, number>();
  #total = 0;

  constructor(budgetBytes = Number.POSITIVE_INFINITY) {
    this.#budget = budgetBytes;
  }

  get total(): number {
    return this.#total;
  }

  /** So many bytes more for a run; false: there are not so many left. */
  take(run: number, bytes: number): boolean {
    if (this.#total + bytes > this.#budget) return false;
    this.#add(run, bytes);
    return true;
  }

  giveBack(run: number, bytes: number): void {
    this.#add(run, -bytes);
  }

  /** The run is over. */
  release(run: number): void {
    this.#total -= this.#taken.get(run) ?? 0;
    this.#taken.delete(run);
  }

  #add(run: number, bytes: number): void {
    this.#taken.set(run, (this.#taken.get(run) ?? 0) + bytes);
    this.#total += bytes;
  }
}

import { goesFirst, isShorter, type Sequence } from '../sequence.ts';
import { Heap } from './heap.ts';

/** One tenant's requests that wait, to be looked at in two orders. */
export class Waiting {
  readonly #byAge = new Heap(goesFirst);
  readonly #byLength = new Heap(isShorter);

  get size(): number {
    return this.#byAge.size;
  }

  /** The oldest of the highest priority. */
  oldest(): Sequence | undefined {
    return this.#byAge.first();
  }

  /** The shortest of the highest priority. */
  shortest(): Sequence | undefined {
    return this.#byLength.first();
  }

  add(sequence: Sequence): void {
    this.#byAge.add(sequence);
    this.#byLength.add(sequence);
  }

  remove(sequence: Sequence): void {
    this.#byAge.remove(sequence);
    this.#byLength.remove(sequence);
  }
}

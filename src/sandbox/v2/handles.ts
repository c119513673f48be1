import { GuestError } from '../abi.ts';
import { Refusal } from './refusal.ts';

/** The kinds stand in a handle's upper bits, so that one is never taken for another. */
const kinds = { sequence: 1, constraint: 2, ticket: 3, parser: 4 } as const;
const KIND_SHIFT = 24;

/** What one run holds of one kind. Numbers are never used again, so one that was freed stays unknown. */
export class Handles<T> {
  readonly #kind: keyof typeof kinds;
  readonly #most: number;
  readonly #held = new Map<number, T>();
  #last = 0;

  constructor(kind: keyof typeof kinds, most: number) {
    this.#kind = kind;
    this.#most = most;
  }

  get size(): number {
    return this.#held.size;
  }

  get room(): number {
    return this.#most - this.size;
  }

  values(): IterableIterator<T> {
    return this.#held.values();
  }

  /** Throws -11 when that many more cannot be held. */
  checkRoom(count = 1): void {
    if (count <= this.room) return;
    throw new Refusal(GuestError.limit, `a run holds at most ${this.#most} ${this.#kind}s`);
  }

  add(make: (handle: number) => T): number {
    this.checkRoom();
    const handle = kinds[this.#kind] * 2 ** KIND_SHIFT + ++this.#last;
    this.#held.set(handle, make(handle));
    return handle;
  }

  /** Throws -10 for what this run does not hold. */
  get(handle: number): T {
    const held = this.find(handle);
    if (held === undefined) throw new Refusal(GuestError.noHandle, `there is no ${this.#kind} ${handle >>> 0}`);
    return held;
  }

  find(handle: number): T | undefined {
    return this.#held.get(handle >>> 0);
  }

  delete(handle: number): void {
    this.#held.delete(handle >>> 0);
  }

  clear(): void {
    this.#held.clear();
  }
}

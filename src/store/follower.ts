import type { Store } from './open.ts';
import { watchStore } from './watch.ts';

/** Reads what has changed since it was last called. */
export type ReadChanges = () => Promise<void>;

/** Keeps what is in memory as the store has it: changes of this server at once, those of others within a second. */
export class Follower {
  readonly #store: Store;
  readonly #lost: (error: unknown) => void;
  readonly #readers: ReadChanges[] = [];
  #refreshing: Promise<void> | undefined;
  #again: Promise<void> | undefined;
  #isLost = false;
  #stop = async () => {};

  /** `lost`: the store does not answer; what is known goes on being used. Told once, until it answers again. */
  constructor(store: Store, lost: (error: unknown) => void) {
    this.#store = store;
    this.#lost = lost;
  }

  /** Readers run in the order in which they were added. */
  add(read: ReadChanges): void {
    this.#readers.push(read);
  }

  /** Reads all, and follows what changes from then on. */
  async start(): Promise<void> {
    await this.refresh();
    this.#stop = watchStore(this.#store, () => void this.refresh().catch(error => this.#failed(error)));
  }

  async close(): Promise<void> {
    await this.#stop();
    await this.#refreshing?.catch(() => {});
  }

  /** Resolves when all that was committed before this call is known. */
  refresh(): Promise<void> {
    if (!this.#refreshing) return this.#begin();
    // The one that runs may have read already what has changed since.
    this.#again ??= this.#refreshing.catch(() => {}).then(() => this.#begin());
    return this.#again;
  }

  /** After a change of this server's: whoever is told of it may use it at once. That it was made is true in any case. */
  async changed(): Promise<void> {
    await this.refresh().catch(error => this.#lost(error));
  }

  #begin(): Promise<void> {
    this.#again = undefined;
    this.#refreshing = this.#read().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  #failed(error: unknown): void {
    if (!this.#isLost) this.#lost(error);
    this.#isLost = true;
  }

  async #read(): Promise<void> {
    for (const read of this.#readers) await read();
    this.#isLost = false;
  }
}

/**
 * A queue between one writer and one reader. The writer never blocks by itself: it asks `hasRoom` or awaits `room()`.
 * `close` and `fail` take effect once; what was written before them is still read, unless `fail` is told to drop it.
 */
export class Channel<T> {
  readonly #capacity: number;
  #items: T[] = [];
  /** Of the first unread one: shifting a long list is dear. */
  #first = 0;
  #ending: { readonly error?: unknown } | undefined;
  #readable: (() => void) | undefined;
  #writable: (() => void) | undefined;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get ended(): boolean {
    return this.#ending !== undefined;
  }

  push(item: T): void {
    this.add(item);
    this.wake();
  }

  /** Whoever waits to read is not told before `wake`, or the end. */
  add(item: T): void {
    if (!this.#ending) this.#items.push(item);
  }

  wake(): void {
    this.#readable?.();
  }

  close(): void {
    this.#end({});
  }

  fail(error: unknown, options: { drop?: boolean } = {}): void {
    if (options.drop && !this.#ending) this.#clear();
    this.#end({ error });
  }

  /** Whether fewer than `capacity` items are unread, or nobody reads any more. */
  get hasRoom(): boolean {
    return this.#unread < this.#capacity || this.ended;
  }

  async room(): Promise<void> {
    while (!this.hasRoom) {
      await new Promise<void>(resolve => {
        this.#writable = resolve;
      });
    }
  }

  /** The next item as soon as there is one; undefined when the channel was closed. Throws what it failed with. */
  async take(): Promise<T | undefined> {
    while (this.#unread === 0) {
      if (this.#ending && 'error' in this.#ending) throw this.#ending.error;
      if (this.#ending) return undefined;
      await new Promise<void>(resolve => {
        this.#readable = resolve;
      });
    }
    const item = this.#items[this.#first++];
    if (this.#unread === 0) this.#clear();
    else if (this.#first >= 1024) this.#compact();
    if (this.#unread < this.#capacity) this.#writable?.();
    return item;
  }

  get #unread(): number {
    return this.#items.length - this.#first;
  }

  #compact(): void {
    this.#items = this.#items.slice(this.#first);
    this.#first = 0;
  }

  #clear(): void {
    this.#items = [];
    this.#first = 0;
  }

  #end(ending: { readonly error?: unknown }): void {
    this.#ending ??= ending;
    this.#readable?.();
    this.#writable?.();
  }
}

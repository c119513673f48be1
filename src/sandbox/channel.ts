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
    if (this.#ending) return;
    this.#items.push(item);
    this.#readable?.();
  }

  close(): void {
    this.#end({});
  }

  fail(error: unknown, options: { drop?: boolean } = {}): void {
    if (options.drop && !this.#ending) this.#clear();
    this.#end({ error });
  }

  /** Resolves when fewer than `capacity` items are unread, or the channel has ended. */
  async room(): Promise<void> {
    while (this.#unread >= this.#capacity && !this.#ending) {
      await new Promise<void>(resolve => {
        this.#writable = resolve;
      });
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    while (true) {
      if (this.#unread > 0) {
        // A channel's item may be undefined itself.
        const item = this.#items[this.#first++] as T;
        if (this.#unread === 0) this.#clear();
        else if (this.#first >= 1024) this.#compact();
        if (this.#unread < this.#capacity) this.#writable?.();
        yield item;
      } else if (this.#ending) {
        if ('error' in this.#ending) throw this.#ending.error;
        return;
      } else {
        await new Promise<void>(resolve => {
          this.#readable = resolve;
        });
      }
    }
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

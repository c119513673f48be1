/** Text that comes in pieces, for a parser that is a generator: it yields when it needs more. */
export class Input {
  #text = '';
  #ended = false;
  #taken = 0;

  /** What has come and has not been taken. */
  get text(): string {
    return this.#text;
  }

  /** How many characters have been taken. */
  get taken(): number {
    return this.#taken;
  }

  /** No more comes. */
  get ended(): boolean {
    return this.#ended;
  }

  push(piece: string): void {
    this.#text += piece;
  }

  end(): void {
    this.#ended = true;
  }

  take(count: number): string {
    const taken = this.#text.slice(0, count);
    this.#text = this.#text.slice(count);
    this.#taken += taken.length;
    return taken;
  }

  /** Waits for so many characters; false where the text ends before. */
  *has(count: number): Generator<void, boolean> {
    while (this.#text.length < count) {
      if (this.#ended) return false;
      yield;
    }
    return true;
  }
}

/** Length of the longest end of `text` that `what` could begin with. */
export function heldBack(text: string, what: string): number {
  for (let length = Math.min(text.length, what.length - 1); length > 0; length--) {
    if (what.startsWith(text.slice(-length))) return length;
  }
  return 0;
}

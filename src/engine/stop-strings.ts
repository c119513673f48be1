/** Finds the first of several strings in a text that arrives in pieces, and holds back what may become one. */
export class StopStrings {
  readonly #stops: readonly string[];
  #held = '';

  constructor(stops: readonly string[]) {
    this.#stops = stops.filter(stop => stop !== '');
  }

  /** What is certain now; `stopped` when a stop string came: the text before it is all there is. */
  push(piece: string): { text: string; stopped: boolean } {
    const text = this.#held + piece;
    const at = this.#stops.map(stop => text.indexOf(stop)).filter(index => index >= 0);
    if (at.length > 0) {
      this.#held = '';
      return { text: text.slice(0, Math.min(...at)), stopped: true };
    }
    const keep = Math.max(0, ...this.#stops.map(stop => overlap(text, stop)));
    this.#held = text.slice(text.length - keep);
    return { text: text.slice(0, text.length - keep), stopped: false };
  }

  /** What was held back and turned out to be text. */
  end(): string {
    const text = this.#held;
    this.#held = '';
    return text;
  }
}

/** Length of the longest end of `text` that begins `stop`. */
function overlap(text: string, stop: string): number {
  for (let length = Math.min(text.length, stop.length - 1); length > 0; length--)
    if (text.endsWith(stop.slice(0, length))) return length;
  return 0;
}

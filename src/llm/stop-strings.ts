/**
 * Finds the first of several strings in a text that arrives in pieces, and holds back what may become one. The string
 * that is complete first counts (of those that end together, the longest), so the pieces do not matter.
 */
export class StopStrings {
  readonly #stops: readonly string[];
  #held = '';
  /** Leading characters of what is held back that were said before this text. */
  #said = 0;
  #found: string | undefined;

  constructor(stops: readonly string[]) {
    this.#stops = stops.filter(stop => stop !== '');
  }

  /** A stop string came: the text before it was all there is. */
  get stopped(): boolean {
    return this.#found !== undefined;
  }

  /** The one that came. */
  get found(): string | undefined {
    return this.#found;
  }

  /** The text goes on behind one that was said: a stop string may have begun there. */
  goOn(said: string): void {
    this.#said = this.#undecided(said);
    this.#held = said.slice(said.length - this.#said);
  }

  /** What is certain now. */
  push(piece: string): string {
    const text = this.#held + piece;
    const end = this.#firstEnd(text);
    this.#found = end === undefined ? undefined : this.#endOf(text.slice(0, end));
    const certain = text.slice(0, end).length - (this.#found?.length ?? this.#undecided(text));
    this.#held = this.stopped ? '' : text.slice(certain);
    const said = Math.min(this.#said, certain);
    this.#said -= said;
    return text.slice(said, certain);
  }

  /** What was held back and turned out to be text. */
  end(): string {
    const text = this.#held.slice(this.#said);
    this.#held = '';
    this.#said = 0;
    return text;
  }

  /** Where the stop string ends that is complete first. */
  #firstEnd(text: string): number | undefined {
    const ends = this.#stops.filter(stop => text.includes(stop)).map(stop => text.indexOf(stop) + stop.length);
    return ends.length > 0 ? Math.min(...ends) : undefined;
  }

  /** The longest stop string that `text` ends with. */
  #endOf(text: string): string {
    return this.#stops.filter(stop => text.endsWith(stop)).reduce((a, b) => (b.length > a.length ? b : a));
  }

  /** Length of the longest end of `text` that may become a stop string. */
  #undecided(text: string): number {
    return Math.max(0, ...this.#stops.map(stop => overlap(text, stop)));
  }
}

/** Length of the longest end of `text` that begins `stop`. */
function overlap(text: string, stop: string): number {
  for (let length = Math.min(text.length, stop.length - 1); length > 0; length--)
    if (text.endsWith(stop.slice(0, length))) return length;
  return 0;
}

/** Handle of a regular expression over bytes, hash-consed in its {@link Regexes}: equal handles, equal structure. */
export type RegexId = number & { readonly __brand: 'RegexId' };

/** Inclusive ranges of code points, or of bytes. */
export type Ranges = readonly (readonly [from: number, to: number])[];

/** Makes regular expressions over the bytes of UTF-8 text, with intersection and complement, for derivatives. */
export interface Regexes {
  /** Matches nothing at all. */
  readonly nothing: RegexId;
  /** Matches the empty text. */
  readonly empty: RegexId;
  /** The text's UTF-8 bytes. */
  literal(text: string): RegexId;
  /** One byte of these. */
  bytes(ranges: Ranges): RegexId;
  /** One character of these; surrogates are never in. */
  chars(ranges: Ranges): RegexId;
  /** One character but these. */
  notChars(ranges: Ranges): RegexId;
  concat(parts: readonly RegexId[]): RegexId;
  or(parts: readonly RegexId[]): RegexId;
  and(parts: readonly RegexId[]): RegexId;
  /** What is valid UTF-8 and does not match. */
  not(part: RegexId): RegexId;
  /** Counted symbolically: `repeat(x, 0, 65536)` costs no more than `repeat(x, 0, 2)`. `max` absent: endless. */
  repeat(part: RegexId, min: number, max?: number): RegexId;
}

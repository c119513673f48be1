import { RealmError } from '../errors.ts';

/** What compiling a schema or grammar may take, in milliseconds. */
export const maxCompileMs = 250;

/** Steps between two looks at the clock. */
const stepsBetween = 64;

/** Ends a compile that takes too long. Limits of size come first: they are the same on every machine. */
export class Deadline {
  readonly #now: () => number;
  readonly #ms: number;
  readonly #end: number;
  #steps = 0;

  /** `now` in milliseconds. */
  constructor(now: () => number, ms = maxCompileMs) {
    this.#now = now;
    this.#ms = ms;
    this.#end = now() + ms;
  }

  /** Called for each step. Throws `grammar_limit`. */
  check(): void {
    if (++this.#steps % stepsBetween === 0 && this.#now() > this.#end) {
      throw new RealmError(
        'grammar_limit',
        `the schema or grammar takes longer than ${this.#ms} ms to compile: simplify it`,
      );
    }
  }
}

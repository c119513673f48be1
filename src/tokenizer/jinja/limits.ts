import { RealmError } from '../../errors.ts';

/**
 * A template comes with the model file, so it may be hostile. These bounds are far above what honest ones need: a chat of
 * a thousand messages through the largest template known takes about a tenth of the steps.
 */
export const templateLimits = {
  /** Characters of source; the largest known template has 17,000. */
  source: 256 * 1024,
  /** Characters of any text, the prompt included. */
  text: 4 * 1024 * 1024,
  /** Items of any list. */
  items: 128 * 1024,
  /** Numbers of one range(). */
  range: 100_000,
  /** Bits of a whole number; Python prints none that has more than 4,300 digits. */
  bits: 14_284,
  /** Steps: a node evaluated, 128 characters made or looked through, 32 values of a structure visited. */
  steps: 2_000_000,
  /** Nodes evaluated inside each other; macros that call themselves end here. */
  depth: 500,
  /** Looked at every few thousand steps; one step, such as a filter over the longest text, can go on for longer. */
  milliseconds: 2000,
} as const;

const CHARACTERS_A_STEP = 128;
const VALUES_A_STEP = 32;

/**
 * What a template has used up. Whatever makes a text or a list, or looks through one, tells the meter: beforehand where
 * the result can be much larger than what it is made of.
 */
export class Meter {
  readonly #clock: () => number;
  readonly #deadline: number;
  readonly #maxSteps: number;
  #steps = 0;
  #nextLook = 0;
  #depth = 0;

  /** `clock` gives milliseconds that only grow. */
  constructor(clock: () => number, maxSteps: number = templateLimits.steps) {
    this.#clock = clock;
    this.#maxSteps = maxSteps;
    this.#deadline = clock() + templateLimits.milliseconds;
  }

  step(steps: number): void {
    this.#steps += steps;
    if (this.#steps > this.#maxSteps) throw exceeded('takes more than', this.#maxSteps, 'steps');
    if (this.#steps < this.#nextLook) return;
    this.#nextLook = this.#steps + 4096;
    if (this.#clock() > this.#deadline) throw exceeded('takes more than', templateLimits.milliseconds, 'ms');
  }

  enter(): void {
    this.step(1);
    if (++this.#depth > templateLimits.depth) throw exceeded('nests deeper than', templateLimits.depth, 'levels');
  }

  leave(): void {
    this.#depth--;
  }

  /** Characters that are made or looked through. */
  characters(count: number): void {
    if (count > templateLimits.text) throw exceeded('makes more than', templateLimits.text, 'characters');
    this.step(count / CHARACTERS_A_STEP);
  }

  /** Items that are made or looked through. */
  items(count: number): void {
    this.room(count);
    this.step(count / VALUES_A_STEP);
  }

  /** Looks only whether a list may have so many items, for one that grows. */
  room(count: number): void {
    if (count > templateLimits.items) throw exceeded('makes a list of more than', templateLimits.items, 'items');
  }

  bits(count: number): void {
    if (!(count <= templateLimits.bits)) throw exceeded('makes a number of more than', templateLimits.bits, 'bits');
  }

  text(made: string): string {
    this.characters(made.length);
    return made;
  }

  /** Two texts as one, which copies neither. */
  joined(a: string, b: string): string {
    if (a.length + b.length > templateLimits.text) this.characters(a.length + b.length);
    this.step(Math.min(a.length, b.length) / CHARACTERS_A_STEP);
    return a + b;
  }

  list<T>(made: T[]): T[] {
    this.items(made.length);
    return made;
  }
}

/** The refusal of a template that passes a bound. */
export function exceeded(what: string, limit: number, unit: string): RealmError {
  return new RealmError(
    'template_limit',
    `the chat template ${what} ${limit} ${unit}: use another template or a shorter chat`,
    {
      param: 'tokenizer.chat_template',
    },
  );
}

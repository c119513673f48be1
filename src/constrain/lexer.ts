import { Derivatives } from './derivatives.ts';
import type { Lexeme, LexemeId } from './grammar.ts';
import type { RegexId } from './regex.ts';
import type { RegexStore } from './regexes.ts';

/** Lexemes that end in one place, interned: equal ones are the same object. */
export type LexemeSet = readonly LexemeId[];

/** What is left of the lexemes that may be going on. */
export interface LexerState {
  readonly id: number;
  readonly lexemes: LexemeSet;
  /** What may follow, for each of `lexemes`. */
  readonly rests: readonly RegexId[];
  /** Which of them may end here. */
  readonly ending: LexemeSet;
  /** Whether any of them may go on. */
  readonly goesOn: boolean;
  /** By class of bytes: the next state, null where no lexeme goes on; undefined: not known yet. */
  readonly next: (LexerState | null | undefined)[];
}

/** More than there are ever regular expressions, so that a number holds two handles. */
const maxRegexes = 2 ** 26;

/** States kept at a time. */
const maxStates = 50_000;

/** A deterministic automaton over bytes for sets of lexemes, made as far as it is walked. */
export class Lexer {
  readonly derivatives: Derivatives;
  readonly #regexes: RegexStore;
  readonly #lexemes: readonly Lexeme[];
  readonly #states = new Map<string, LexerState>();
  /** Those of one lexeme, by lexeme and rest. */
  readonly #single = new Map<number, LexerState>();
  /** Those that hold others. */
  readonly #walked = new Set<LexerState>();
  readonly #starts = new Map<LexemeSet, LexerState>();
  readonly #sets = new Map<string, LexemeSet>();
  #count = 0;

  constructor(regexes: RegexStore, lexemes: readonly Lexeme[]) {
    this.#regexes = regexes;
    this.#lexemes = lexemes;
    this.derivatives = new Derivatives(regexes);
  }

  get isFull(): boolean {
    return this.#states.size > maxStates;
  }

  /** Forgets the states; those that are still held go on to new ones. */
  forget(): void {
    for (const state of this.#walked) state.next.length = 0;
    this.#walked.clear();
    this.#states.clear();
    this.#single.clear();
    this.#starts.clear();
    this.derivatives.forget();
  }

  /** The beginning of any of these, which are in order; the empty text is none of them. */
  start(lexemes: LexemeSet): LexerState | undefined {
    let state = this.#starts.get(lexemes);
    if (!state) {
      const rests = lexemes.map(lexeme => this.#lexemes[lexeme].regex);
      state = this.#state(lexemes, rests);
      if (state) this.#starts.set(lexemes, state);
    }
    return state;
  }

  next(state: LexerState, byteClass: number): LexerState | null {
    const known = state.next[byteClass];
    if (known !== undefined) return known;
    const next = this.#derived(state, byteClass);
    this.#walked.add(state);
    state.next[byteClass] = next;
    return next;
  }

  #derived(state: LexerState, byteClass: number): LexerState | null {
    const { lexemes, rests } = state;
    if (rests.length > 1) {
      return (
        this.#state(
          lexemes,
          rests.map(rest => this.derivatives.by(rest, byteClass)),
        ) ?? null
      );
    }
    // Most states are of one lexeme: they are found without making anything.
    const rest = this.derivatives.by(rests[0], byteClass);
    if (!this.derivatives.isAlive(rest)) return null;
    const key = lexemes[0] * maxRegexes + rest;
    let next = this.#single.get(key);
    if (!next) {
      next = this.#state(lexemes, [rest])!;
      this.#single.set(key, next);
    }
    return next;
  }

  /** The same lexemes with something else to follow. */
  replace(state: LexerState, replace: (rest: RegexId) => RegexId): LexerState {
    const rests = state.rests.map(replace);
    if (rests.every((rest, index) => rest === state.rests[index])) return state;
    return this.#state(state.lexemes, rests)!;
  }

  #state(lexemes: LexemeSet, rests: readonly RegexId[]): LexerState | undefined {
    const alive = lexemes.flatMap((lexeme, index) =>
      this.derivatives.isAlive(rests[index]) ? [{ lexeme, rest: rests[index] }] : [],
    );
    if (alive.length === 0) return undefined;
    const key = alive.map(({ lexeme, rest }) => `${lexeme}:${rest}`).join();
    let state = this.#states.get(key);
    if (!state) {
      const nodes = alive.map(({ rest }) => this.#regexes.node(rest));
      state = {
        id: this.#count++,
        lexemes: alive.map(({ lexeme }) => lexeme),
        rests: alive.map(({ rest }) => rest),
        ending: this.#set(alive.filter((_, index) => nodes[index].nullable).map(({ lexeme }) => lexeme)),
        goesOn: nodes.some(node => node.first !== this.#regexes.sets.none),
        next: [],
      };
      this.#states.set(key, state);
    }
    return state;
  }

  #set(lexemes: LexemeSet): LexemeSet {
    const key = lexemes.join();
    let set = this.#sets.get(key);
    if (!set) {
      set = lexemes;
      this.#sets.set(key, set);
    }
    return set;
  }
}

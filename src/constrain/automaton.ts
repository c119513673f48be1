import type { Token } from '../tokenizer/types.ts';
import { Earley, type Ending, type Row } from './earley.ts';
import type { Grammar } from './grammar.ts';
import { Lexer, type LexerState } from './lexer.ts';
import { Near } from './near.ts';
import type { RegexStore } from './regexes.ts';
import { RuleTable } from './rule-table.ts';
import { none, Transitions, unknown } from './transitions.ts';

/** Lexemes that began in a row and are going on. */
export interface Thread {
  readonly row: Row;
  readonly state: LexerState;
}

/** All ways to read a text so far; hash-consed, so that what was found out about one is found out for good. */
export interface Configuration {
  /** Where a lexeme or token has just ended, or nothing has begun. */
  readonly row: Row | undefined;
  readonly threads: readonly Thread[];
  /** Its place in the table of transitions; 0: it has none, or all was forgotten since it had. */
  state: number;
  /** Allowed tokens, once computed and as long as kept. */
  mask: Uint32Array | undefined;
  /** One that goes on like this one for as long as a token is. */
  near: Configuration | undefined;
  /** The only byte that may follow, -1 where there are more or fewer; undefined: not known yet. */
  forced: number | undefined;
}

/** Kept at a time: some hundred MB at the worst. */
const maxConfigurations = 50_000;
const maxRows = 50_000;
/** More bytes than this are many. */
const narrow = 16;

/** Lexer and parser together, as an automaton over bytes that is made as far as it is walked. */
export class Automaton {
  readonly start: Configuration;
  /** The class of each byte; bytes of a class are followed by the same. */
  readonly classOf: Uint8Array;
  readonly lexer: Lexer;
  readonly #earley: Earley;
  readonly #configurations = new Map<string, Configuration>();
  /** Those of one thread that goes on, by row and state. */
  readonly #going = new Map<Row, Map<LexerState, Configuration>>();
  /** What follows what, as far as it is known: see {@link state}. */
  readonly transitions: Transitions;
  /** Those that have a place there, in the order of their places. */
  readonly #placed: Configuration[] = [];
  readonly #near: Near;
  readonly #classes: number;
  /** By class: how many bytes are in it. */
  readonly #sizes: Uint16Array;
  /** By class: its byte if it has but one, else -1. */
  readonly #onlyByte: Int16Array;

  /** `tokenBytes`: how long the longest token is. */
  constructor(grammar: Grammar, regexes: RegexStore, tokenBytes: number) {
    this.#near = new Near(regexes, tokenBytes);
    this.lexer = new Lexer(regexes, grammar.lexemes);
    const { derivatives } = this.lexer;
    this.classOf = derivatives.classOf;
    this.#classes = derivatives.samples.length;
    this.transitions = new Transitions(this.#classes);
    this.#sizes = new Uint16Array(this.#classes);
    for (const byteClass of this.classOf) this.#sizes[byteClass]++;
    this.#onlyByte = Int16Array.from(derivatives.samples);
    this.classOf.forEach((byteClass, byte) => {
      if (byte !== derivatives.samples[byteClass]) this.#onlyByte[byteClass] = -1;
    });
    const facts = grammar.lexemes.map(({ regex }) => ({
      nullable: regexes.node(regex).nullable,
      alive: derivatives.isAlive(regex),
    }));
    this.#earley = new Earley(new RuleTable(grammar, facts));
    this.start = this.#at(this.#earley.start, []);
  }

  /** Configurations that are kept. */
  get size(): number {
    return this.#configurations.size;
  }

  /** Before each mask and token: what fills the memory is forgotten. */
  renew(): void {
    if (this.size > maxConfigurations || this.#earley.rows > maxRows || this.lexer.isFull) this.forget();
  }

  /** Forgets what was found out; configurations that are still held go on to new ones. */
  forget(): void {
    for (const configuration of this.#placed) {
      configuration.state = 0;
      configuration.near = undefined;
      configuration.mask = undefined;
    }
    this.#placed.length = 0;
    this.transitions.clear();
    this.#configurations.clear();
    this.#going.clear();
    this.#earley.forget();
    this.lexer.forget();
  }

  /** What a byte of the class leads to; null where none may come. */
  next(from: Configuration, byteClass: number): Configuration | null {
    const to = this.step(this.stateOf(from), byteClass);
    return to === none ? null : this.#configurationOf(to);
  }

  /** The place of a configuration in the table of transitions. */
  stateOf(configuration: Configuration): number {
    if (configuration.state === 0) {
      configuration.state = this.transitions.add(configuration.row?.cost ?? 0);
      this.#placed.push(configuration);
    }
    return configuration.state;
  }

  /** The same as {@link next} for places: that of what follows, or `none`. */
  step(state: number, byteClass: number): number {
    const known = this.transitions.cells[state + byteClass];
    if (known !== unknown) return known;
    const from = this.#configurationOf(state);
    const next =
      from.threads.length === 1 ? this.#nextOfOne(from.threads[0], byteClass) : this.#nextOfAll(from, byteClass);
    const to = next ? this.stateOf(next) : none;
    this.transitions.cells[state + byteClass] = to;
    return to;
  }

  #configurationOf(state: number): Configuration {
    return this.#placed[state / this.transitions.stride - 1];
  }

  /** Most configurations are one thread going on: the next is found without making anything. */
  #nextOfOne({ row, state }: Thread, byteClass: number): Configuration | null {
    const next = this.lexer.next(state, byteClass);
    if (!next) return null;
    if (next.ending.length > 0) {
      return this.#at(this.#earley.scan([{ row, lexemes: next.ending }]), next.goesOn ? [{ row, state: next }] : []);
    }
    let going = this.#going.get(row);
    if (!going) {
      going = new Map();
      this.#going.set(row, going);
    }
    let to = going.get(next);
    if (!to) {
      to = this.#intern(undefined, [{ row, state: next }]);
      going.set(next, to);
    }
    return to;
  }

  #nextOfAll(from: Configuration, byteClass: number): Configuration | null {
    const threads: Thread[] = [];
    const endings: Ending[] = [];
    for (const { row, state } of from.threads) {
      const next = this.lexer.next(state, byteClass);
      if (!next) continue;
      if (next.goesOn) threads.push({ row, state: next });
      if (next.ending.length > 0) endings.push({ row, lexemes: next.ending });
    }
    const row = endings.length > 0 ? this.#earley.scan(endings) : undefined;
    return row || threads.length > 0 ? this.#at(row, threads) : null;
  }

  /** What a token leads to that the grammar names. */
  nextToken(from: Configuration, token: Token): Configuration | null {
    const row = from.row && this.#earley.scanToken(from.row, token);
    return row ? this.#at(row, []) : null;
  }

  /** A configuration with the same mask, and the same one for as many as can be told. */
  near(from: Configuration): Configuration {
    if (from.near) return from.near;
    // It has a place, so that it is told to forget.
    this.stateOf(from);
    from.near = this.#intern(
      from.row,
      from.threads.map(({ row, state }) => ({ row, state: this.lexer.replace(state, rest => this.#near.of(rest)) })),
    );
    return from.near;
  }

  /** Whether few bytes may follow. */
  isNarrow(from: Configuration): boolean {
    const state = this.stateOf(from);
    let bytes = 0;
    for (let byteClass = 0; byteClass < this.#classes; byteClass++)
      if (this.step(state, byteClass) !== none) bytes += this.#sizes[byteClass];
    return bytes <= narrow;
  }

  /** The token of the grammar that must follow, because nothing else may; undefined: there is none, or a choice. */
  onlyToken({ row, threads }: Configuration): Token | undefined {
    if (!row || row.isAccepting || threads.length > 0) return undefined;
    const [token, ...others] = new Set(row.behindTokens.flatMap(({ tokens }) => tokens));
    return others.length > 0 ? undefined : token;
  }

  /** The only byte that may follow, or -1. */
  forced(from: Configuration): number {
    if (from.forced !== undefined) return from.forced;
    let byte = -1;
    const mayEnd = from.row && (from.row.isAccepting || from.row.behindTokens.length > 0);
    for (let byteClass = 0; !mayEnd && byteClass < this.#classes; byteClass++) {
      if (!this.next(from, byteClass)) continue;
      const several = byte >= 0;
      byte = several ? -1 : this.#onlyByte[byteClass];
      if (byte < 0) break;
    }
    from.forced = byte;
    return byte;
  }

  /** `row`: where something has just ended, so that all it expects begins here too. */
  #at(row: Row | undefined, going: Thread[]): Configuration {
    const state = row && this.lexer.start(row.lexemes);
    if (row && state?.goesOn) going.push({ row, state });
    return this.#intern(row, going);
  }

  #intern(row: Row | undefined, going: Thread[]): Configuration {
    const threads = going.length > 1 ? unique(going) : going;
    const key = `${row?.id ?? ''};${threads.map(thread => `${thread.row.id},${thread.state.id}`).join(';')}`;
    let configuration = this.#configurations.get(key);
    if (!configuration) {
      configuration = { row, threads, state: 0, mask: undefined, near: undefined, forced: undefined };
      this.#configurations.set(key, configuration);
    }
    return configuration;
  }
}

/** In order, each once. */
function unique(threads: Thread[]): Thread[] {
  threads.sort((a, b) => a.row.id - b.row.id || a.state.id - b.state.id);
  return threads.filter(
    ({ row, state }, index) => index === 0 || row !== threads[index - 1].row || state !== threads[index - 1].state,
  );
}

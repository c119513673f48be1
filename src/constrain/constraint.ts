import { RealmError } from '../errors.ts';
import type { Token } from '../tokenizer/types.ts';
import { Automaton, type Configuration } from './automaton.ts';
import { tooAmbiguous } from './earley.ts';
import type { Grammar } from './grammar.ts';
import type { RegexStore } from './regexes.ts';
import { SliceRoom, sliceChar } from './slices.ts';
import { GroupMasks } from './token-groups.ts';
import type { TokenTrie } from './token-trie.ts';
import { none, unknown } from './transitions.ts';
import { maskWords, type Vocabulary } from './vocabulary.ts';

/** Derived regular expressions that a constraint may make while it runs. */
const maxDerived = 1_000_000;
/** Items of the rows that one mask comes by, whether they are known or not: what is refused depends on the grammar alone. */
const maxWork = 200_000;
/** Masks kept for configurations that come again, and from how many steps on keeping pays. */
const maxMasks = 128;
const keepFrom = 2_000;
/** Bytes of one answer of `forced`. */
const maxForced = 4_096;

/** `grammar` over the lexemes of `regexes`, ready to constrain answers of a model with that vocabulary. */
export function compile(grammar: Grammar, regexes: RegexStore, vocabulary: Vocabulary): Constraint {
  return new Constraint(grammar, regexes, vocabulary);
}

/** A compiled grammar. What is found out while it runs is kept for all who use it. */
export class Constraint {
  readonly automaton: Automaton;
  readonly vocabulary: Vocabulary;
  readonly #room: SliceRoom;
  readonly #groups: GroupMasks;
  /** The place of the configuration behind each byte of a token. */
  readonly #stack: Int32Array;
  readonly #masked: Configuration[] = [];
  /** The number of the mask that is made, and what it has come by. */
  #serial = 0;
  #work = 0;

  constructor(grammar: Grammar, regexes: RegexStore, vocabulary: Vocabulary) {
    this.vocabulary = vocabulary;
    // Before the automaton, since it divides bytes into classes.
    const char = sliceChar(regexes);
    regexes.allow(maxDerived);
    this.automaton = new Automaton(grammar, regexes, vocabulary.trie.height);
    this.#groups = new GroupMasks(this.automaton);
    this.#stack = new Int32Array(vocabulary.trie.height + 1);
    this.#room = new SliceRoom(regexes, this.automaton.lexer.derivatives, char);
  }

  start(): ConstraintState {
    return new ConstraintState(this, [this.automaton.start]);
  }

  /** What `token` leads to; null where it may not come. */
  next(from: Configuration, token: Token): Configuration | null {
    const { vocabulary, automaton } = this;
    automaton.renew();
    if (vocabulary.endTokens.has(token) && from.row?.isAccepting) return from;
    const named = automaton.nextToken(from, token);
    if (named) return named;
    const bytes = vocabulary.bytes.at(token);
    if (!bytes || bytes.length === 0) return null;
    let at: Configuration | null = from;
    for (const byte of bytes) {
      at = automaton.next(at, automaton.classOf[byte]);
      if (!at) return null;
    }
    return at;
  }

  /** The tokens that may come, one bit each, [ceil(vocabulary / 32)]. */
  mask(at: Configuration, into: Uint32Array): void {
    this.automaton.renew();
    const from = this.automaton.near(at);
    if (from.mask) return into.set(from.mask);
    into.fill(0);
    this.#serial = (this.#serial + 1) & 0x3fffffff;
    this.#work = 0;
    const { slice } = this.vocabulary;
    const isSliced = this.#room.in(from) >= slice.chars;
    if (isSliced) into.set(slice.mask);
    const steps = isSliced ? this.#walk(from, slice.rest, into) : this.#walkGroups(from, into);
    for (const { tokens } of from.row?.behindTokens ?? []) for (const token of tokens) allow(token, into);
    if (from.row?.isAccepting) for (const token of this.vocabulary.endTokens) allow(token, into);
    if (steps >= keepFrom) this.#keep(from, into);
    if (!into.some(word => word !== 0)) {
      throw new RealmError(
        'constraint_dead_end',
        'no token of this model’s vocabulary can go on as the grammar demands',
      );
    }
  }

  #walkGroups(from: Configuration, into: Uint32Array): number {
    const { trie, groups, others } = this.vocabulary;
    const { automaton } = this;
    // Where few bytes may come there is little to walk.
    if (automaton.isNarrow(from)) return this.#walk(from, trie, into);
    let steps = this.#walk(from, others, into);
    for (const group of groups) {
      const mask = this.#groups.of(group, automaton.stateOf(from));
      if (!mask) steps += this.#walk(from, group.trie, into);
      else if (mask !== group.masks[0]) add(mask, into);
    }
    return steps;
  }

  #walk(from: Configuration, trie: TokenTrie, into: Uint32Array): number {
    const { automaton } = this;
    const { classOf, transitions } = automaton;
    const { costAt, markAt } = transitions;
    const { bytes, depth, skip, token, twins } = trie;
    const stack = this.#stack;
    stack[0] = automaton.stateOf(from);
    let { cells } = transitions;
    let steps = 0;
    for (let node = 0; node < bytes.length; steps++) {
      const here = depth[node];
      const byteClass = classOf[bytes[node]];
      let next = cells[stack[here] + byteClass];
      if (next === unknown) {
        next = automaton.step(stack[here], byteClass);
        cells = transitions.cells;
      }
      if (next === none) {
        node = skip[node];
        continue;
      }
      stack[here + 1] = next;
      if (cells[next + costAt] > 0 && cells[next + markAt] !== this.#serial) this.#spend(cells, next);
      const ended = token[node++];
      if (ended >= 0) into[ended >> 5] |= 1 << (ended & 31);
    }
    for (const [one, others] of twins) if (allows(one, into)) for (const other of others) allow(other, into);
    return steps;
  }

  /** Counts a state that this mask has not come by before. */
  #spend(cells: Int32Array, state: number): void {
    const { costAt, markAt } = this.automaton.transitions;
    cells[state + markAt] = this.#serial;
    this.#work += cells[state + costAt];
    if (this.#work > maxWork) throw tooAmbiguous();
  }

  #keep(from: Configuration, mask: Uint32Array): void {
    from.mask = mask.slice(0, maskWords(this.vocabulary.size));
    if (this.#masked.push(from) > maxMasks) this.#masked.shift()!.mask = undefined;
  }
}

function add(mask: Uint32Array, into: Uint32Array): void {
  for (let word = 0; word < mask.length; word++) into[word] |= mask[word];
}

function allow(token: Token, into: Uint32Array): void {
  into[token >> 5] |= 1 << (token & 31);
}

function allows(token: Token, mask: Uint32Array): boolean {
  return ((mask[token >> 5] >>> (token & 31)) & 1) === 1;
}

/** Where one answer is: a function of its tokens alone. */
export class ConstraintState {
  readonly #constraint: Constraint;
  /** The beginning, then one for each token. */
  readonly #path: Configuration[];

  constructor(constraint: Constraint, path: Configuration[]) {
    this.#constraint = constraint;
    this.#path = path;
  }

  get #at(): Configuration {
    return this.#path[this.#path.length - 1];
  }

  /** Whether the answer may end here. */
  get isAccepting(): boolean {
    return this.#at.row?.isAccepting === true;
  }

  /** Whether it must end here: nothing can follow. */
  get isOver(): boolean {
    const { row, threads } = this.#at;
    return this.isAccepting && threads.length === 0 && row!.behindTokens.length === 0;
  }

  /**
   * Sets the bits of the tokens that may come, [ceil(vocabulary / 32)]; those that end an answer only where it may end.
   * Throws `constraint_dead_end` where there is none.
   */
  mask(into: Uint32Array): void {
    this.#constraint.mask(this.#at, into);
  }

  allows(token: Token): boolean {
    return this.#constraint.next(this.#at, token) !== null;
  }

  /** Goes on by a token; false, and nothing is changed, where it may not come. */
  accept(token: Token): boolean {
    const next = this.#constraint.next(this.#at, token);
    if (next) this.#path.push(next);
    return next !== null;
  }

  /** Takes back the last tokens, as far as this state or the one that it was forked from accepted them. */
  rollback(tokens: number): void {
    if (tokens > 0) this.#path.length = Math.max(this.#path.length - tokens, 1);
  }

  /** Another one in the same place. */
  fork(): ConstraintState {
    return new ConstraintState(this.#constraint, this.#path.slice());
  }

  /** What must come next, as far as there is no choice. */
  forced(): Forced {
    const { automaton } = this.#constraint;
    automaton.renew();
    const bytes: number[] = [];
    let at = this.#at;
    while (bytes.length < maxForced) {
      const byte = automaton.forced(at);
      if (byte < 0) break;
      bytes.push(byte);
      at = automaton.next(at, automaton.classOf[byte])!;
    }
    return { bytes: Uint8Array.from(bytes), isWhole: at.threads.length === 0, token: automaton.onlyToken(at) };
  }
}

export interface Forced {
  readonly bytes: Uint8Array;
  /** No other bytes may follow them: no token goes beyond their end. */
  readonly isWhole: boolean;
  /** Token of the grammar that must follow them. */
  readonly token: Token | undefined;
}

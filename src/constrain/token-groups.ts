import type { Automaton } from './automaton.ts';
import type { TokenBytes } from './token-trie.ts';
import { TokenTrie } from './token-trie.ts';
import { none } from './transitions.ts';

/** Bytes that lead from a state of a small automaton to another. */
type Edge = readonly [from: number, first: number, last: number, to: number];

/** Tokens whose texts are of one kind: where any such text may come, or any up to a length, they are allowed at once. */
export interface TokenGroup {
  /** An automaton over bytes that accepts their texts, from state `start` to state 1. */
  readonly start: number;
  readonly edges: readonly Edge[];
  /** By characters: the tokens of no more than so many. The last is all of them. */
  readonly masks: readonly Uint32Array[];
  readonly trie: TokenTrie;
}

/** Longer tokens are in no group: a count would have to be followed that far. */
const maxLength = 16;
/** Pairs of states that are looked at before the tokens are tried one by one. */
const maxPairs = 256;

const letters: readonly Edge[] = [
  [1, 0x41, 0x5a, 1],
  [1, 0x61, 0x7a, 1],
];
/** No quote and no backslash: they end a JSON string or escape something in it. */
const printable: readonly Edge[] = [
  [1, 0x21, 0x21, 1],
  [1, 0x23, 0x5b, 1],
  [1, 0x5d, 0x7e, 1],
];
/** Whole characters of several bytes; states from 2 on are within one. */
const longChars: readonly Edge[] = [
  [1, 0xc2, 0xdf, 2],
  [1, 0xe0, 0xe0, 3],
  [1, 0xe1, 0xec, 4],
  [1, 0xed, 0xed, 5],
  [1, 0xee, 0xef, 4],
  [1, 0xf0, 0xf0, 6],
  [1, 0xf1, 0xf3, 7],
  [1, 0xf4, 0xf4, 8],
  [2, 0x80, 0xbf, 1],
  [3, 0xa0, 0xbf, 2],
  [4, 0x80, 0xbf, 2],
  [5, 0x80, 0x9f, 2],
  [6, 0x90, 0xbf, 4],
  [7, 0x80, 0xbf, 4],
  [8, 0x80, 0x8f, 4],
];
const kindStates = 9;
const space: Edge = [0, 0x20, 0x20, 1];

/** What kinds of text most tokens are, with and without a space before it: the first that fits counts. */
const kinds = [letters, printable, longChars].flatMap(edges => [
  { start: 1, edges },
  { start: 0, edges: [space, ...edges] },
]);

/** Sorts tokens, which are in the order of their texts, into groups; `others` are in none. `words`: of a mask. */
export function groupTokens(tokens: readonly TokenBytes[], words: number): { groups: TokenGroup[]; others: TokenTrie } {
  const members = kinds.map((): TokenBytes[] => []);
  const others: TokenBytes[] = [];
  const tables = kinds.map(({ edges }) => tableOf(edges));
  for (const one of tokens) {
    const kind =
      one.text.length <= maxLength ? kinds.findIndex(({ start }, at) => takes(tables[at], start, one.text)) : -1;
    (members[kind] ?? others).push(one);
  }
  const groups = kinds.map(({ start, edges }, kind): TokenGroup => {
    const masks = [new Uint32Array(words)];
    for (const { token, text } of members[kind]) {
      const chars = charsIn(text);
      while (masks.length <= chars) masks.push(new Uint32Array(words));
      masks[chars][token >> 5] |= 1 << (token & 31);
    }
    for (let chars = 1; chars < masks.length; chars++) {
      const fewer = masks[chars - 1];
      for (let word = 0; word < words; word++) masks[chars][word] |= fewer[word];
    }
    return { start, edges, masks, trie: new TokenTrie(members[kind]) };
  });
  return { groups, others: new TokenTrie(others) };
}

/** The state behind a state and a byte, [states x 256]; 255 where there is none. */
function tableOf(edges: readonly Edge[]): Uint8Array {
  const table = new Uint8Array(kindStates * 256).fill(255);
  for (const [from, first, last, to] of edges) table.fill(to, from * 256 + first, from * 256 + last + 1);
  return table;
}

function takes(table: Uint8Array, start: number, text: string): boolean {
  let state = start;
  for (let index = 0; index < text.length && state !== 255; index++)
    state = table[state * 256 + text.charCodeAt(index)];
  return state === 1;
}

/** Bytes that begin a character. */
function charsIn(text: string): number {
  let chars = 0;
  for (let index = 0; index < text.length; index++) if ((text.charCodeAt(index) & 0xc0) !== 0x80) chars++;
  return chars;
}

/** A state of the grammar's automaton and one of a kind's, behind the same text. */
interface Pair {
  readonly state: number;
  readonly kindState: number;
}

/** What leads from a state of a kind to another: a class of bytes of the grammar's automaton. */
interface Step {
  readonly byteClass: number;
  readonly to: number;
}

/** Finds the tokens of groups that may come in a grammar. */
export class GroupMasks {
  readonly #automaton: Automaton;
  /** By group and state of its kind, once needed. */
  readonly #steps = new Map<TokenGroup, readonly (readonly Step[])[]>();

  constructor(automaton: Automaton) {
    this.#automaton = automaton;
  }

  /**
   * The mask of a group's tokens that may come from a state on, where every text of its kind up to some length may and no
   * longer one; else undefined, and they are to be tried one by one. Both automata are walked together, by characters.
   */
  of(group: TokenGroup, state: number): Uint32Array | undefined {
    const { start, masks } = group;
    const steps = this.#stepsOf(group);
    const seen = new Set<number>();
    let returns = false;
    let level: readonly Pair[] = [{ state, kindState: start }];
    for (let chars = 0; chars < masks.length - 1; chars++) {
      // A state that was met before has been followed from there on less far than others have been by now.
      if (this.#noneFollows(level, steps)) return returns ? undefined : masks[chars];
      const behind = this.#behindChar(level, steps);
      if (!behind) return undefined;
      const next: Pair[] = [];
      for (const [key, pair] of behind) {
        if (seen.has(key)) returns = true;
        else next.push(pair);
        seen.add(key);
      }
      if (next.length === 0) break;
      if (seen.size > maxPairs) return undefined;
      level = next;
    }
    return masks.at(-1);
  }

  #noneFollows(level: readonly Pair[], steps: readonly (readonly Step[])[]): boolean {
    for (const { state, kindState } of level)
      for (const { byteClass } of steps[kindState]) if (this.#automaton.step(state, byteClass) !== none) return false;
    return true;
  }

  /** What any character of the kind leads to; undefined where only some may come. */
  #behindChar(level: readonly Pair[], steps: readonly (readonly Step[])[]): ReadonlyMap<number, Pair> | undefined {
    const behind = new Map<number, Pair>();
    const within = [...level];
    const seen = new Set<number>();
    for (let pair = within.pop(); pair; pair = within.pop()) {
      for (const { byteClass, to } of steps[pair.kindState]) {
        const state = this.#automaton.step(pair.state, byteClass);
        if (state === none) return undefined;
        const key = state * 16 + to;
        if (to === 1) behind.set(key, { state, kindState: to });
        else if (!seen.has(key)) within.push({ state, kindState: to });
        seen.add(key);
      }
    }
    return behind;
  }

  #stepsOf(group: TokenGroup): readonly (readonly Step[])[] {
    let steps = this.#steps.get(group);
    if (!steps) {
      steps = stepsOf(group, this.#automaton.classOf);
      this.#steps.set(group, steps);
    }
    return steps;
  }
}

function stepsOf({ edges }: TokenGroup, classOf: Uint8Array): readonly (readonly Step[])[] {
  const steps: Step[][] = Array.from({ length: kindStates }, () => []);
  for (const [from, first, last, to] of edges) {
    const classes = new Set(classOf.subarray(first, last + 1));
    for (const byteClass of classes) {
      if (!steps[from].some(step => step.byteClass === byteClass && step.to === to))
        steps[from].push({ byteClass, to });
    }
  }
  return steps;
}

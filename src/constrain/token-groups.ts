import type { Automaton } from './automaton.ts';
import type { TokenBytes } from './token-trie.ts';
import { TokenTrie } from './token-trie.ts';
import { none } from './transitions.ts';

/** Bytes that lead from a state of a small automaton to another. */
type Edge = readonly [from: number, first: number, last: number, to: number];

/** Tokens whose texts are of one kind: where any such text may come, all of them are allowed at once. */
export interface TokenGroup {
  /** An automaton over bytes that accepts their texts, from state `start` to state 1. */
  readonly start: number;
  readonly edges: readonly Edge[];
  /** How long the longest is. */
  readonly longest: number;
  readonly mask: Uint32Array;
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
  for (const one of tokens) {
    const kind = one.text.length <= maxLength ? kinds.findIndex(({ start, edges }) => takes(edges, start, one.text)) : -1;
    (members[kind] ?? others).push(one);
  }
  const groups = kinds.map(({ start, edges }, kind): TokenGroup => {
    const mask = new Uint32Array(words);
    for (const { token } of members[kind]) mask[token >> 5] |= 1 << (token & 31);
    const trie = new TokenTrie(members[kind]);
    return { start, edges, longest: trie.height, mask, trie };
  });
  return { groups, others: new TokenTrie(others) };
}

function takes(edges: readonly Edge[], start: number, text: string): boolean {
  let state = start;
  for (let index = 0; index < text.length; index++) {
    const byte = text.charCodeAt(index);
    const edge = edges.find(([from, first, last]) => from === state && first <= byte && byte <= last);
    if (!edge) return false;
    state = edge[3];
  }
  return state === 1;
}

/**
 * Whether every text of the group's kind may come: both automata are walked together, and nothing that the group's takes
 * leads nowhere. It may say no where the answer is yes, never the other way round.
 */
export function takesAll(automaton: Automaton, state: number, { start, edges, longest }: TokenGroup): boolean {
  const { classOf } = automaton;
  let level = [{ state, kindState: start }];
  const seen = new Set<number>();
  for (let length = 0; length < longest && level.length > 0; length++) {
    const next: typeof level = [];
    for (const pair of level) {
      for (const [from, first, last, to] of edges) {
        if (from !== pair.kindState) continue;
        let before = -1;
        for (let byte = first; byte <= last; byte++) {
          const byteClass = classOf[byte];
          if (byteClass === before) continue;
          before = byteClass;
          const behind = automaton.step(pair.state, byteClass);
          if (behind === none) return false;
          const key = behind * 16 + to;
          if (seen.has(key)) continue;
          if (seen.add(key).size > maxPairs) return false;
          next.push({ state: behind, kindState: to });
        }
      }
    }
    level = next;
  }
  return true;
}

/** Grammars and vocabularies as they go from thread to thread: structured-cloneable, and quick to unpack. */
import type { Grammar, Lexeme } from './grammar.ts';
import type { RegexId } from './regex.ts';
import type { RegexNode } from './regex-node.ts';
import { RegexStore } from './regexes.ts';
import type { Vocabulary } from './vocabulary.ts';

/** A grammar over lexemes and what those are made of, nothing else. Handles are places in `nodes`. */
export interface PortableGrammar {
  readonly grammar: Grammar;
  readonly nodes: readonly PortableNode[];
  /** {@link RegexStore.utf8} was needed. */
  readonly utf8: boolean;
}

type PortableNode =
  | { readonly kind: 'bytes'; readonly ranges: readonly (readonly [from: number, to: number])[] }
  | { readonly kind: 'empty' }
  | { readonly kind: 'concat'; readonly head: number; readonly tail: number }
  | { readonly kind: 'or' | 'and'; readonly parts: readonly number[] }
  | { readonly kind: 'complement'; readonly part: number }
  | { readonly kind: 'repeat'; readonly part: number; readonly min: number; readonly max: number };

export function packGrammar(grammar: Grammar, regexes: RegexStore): PortableGrammar {
  const ids = [
    ...reachable(
      grammar.lexemes.map(({ regex }) => regex),
      regexes,
    ),
  ].sort((a, b) => a - b);
  const placeOf = new Map(ids.map((id, place) => [id, place]));
  const place = (id: RegexId): number => placeOf.get(id)!;
  const { rules, start, lexemes } = grammar;
  return {
    grammar: { rules, start, lexemes: lexemes.map(each => ({ ...each, regex: place(each.regex) as RegexId })) },
    nodes: ids.map(id => packNode(regexes.node(id), place, regexes)),
    utf8: regexes.utf8 !== undefined,
  };
}

export function unpackGrammar({ grammar, nodes, utf8 }: PortableGrammar): { grammar: Grammar; regexes: RegexStore } {
  const regexes = new RegexStore();
  // What is asked of the negation of nothing is every text of whole characters.
  if (utf8) regexes.not(regexes.nothing);
  const ids: RegexId[] = [];
  const id = (place: number): RegexId => ids[place]!;
  for (const node of nodes) ids.push(unpackNode(node, id, regexes));
  const lexemes = grammar.lexemes.map((each): Lexeme => ({ ...each, regex: id(each.regex) }));
  return { grammar: { ...grammar, lexemes }, regexes };
}

/** Those, their parts, the parts' parts. */
function reachable(roots: readonly RegexId[], regexes: RegexStore): Set<RegexId> {
  const found = new Set<RegexId>();
  const stack = [...roots];
  for (let id = stack.pop(); id !== undefined; id = stack.pop()) {
    if (found.has(id)) continue;
    found.add(id);
    const node = regexes.node(id);
    if (node.kind === 'concat') stack.push(node.head, node.tail);
    else if (node.kind === 'or' || node.kind === 'and') for (const part of node.parts) stack.push(part);
    else if (node.kind === 'complement' || node.kind === 'repeat') stack.push(node.part);
  }
  return found;
}

function packNode(node: RegexNode, place: (id: RegexId) => number, { sets }: RegexStore): PortableNode {
  switch (node.kind) {
    case 'bytes':
      return { kind: 'bytes', ranges: sets.ranges(node.set) };
    case 'empty':
      return { kind: 'empty' };
    case 'concat':
      return { kind: 'concat', head: place(node.head), tail: place(node.tail) };
    case 'or':
    case 'and':
      return { kind: node.kind, parts: node.parts.map(place) };
    case 'complement':
      return { kind: 'complement', part: place(node.part) };
    case 'repeat':
      return { kind: 'repeat', part: place(node.part), min: node.min, max: node.max };
  }
  return node satisfies never;
}

function unpackNode(node: PortableNode, id: (place: number) => RegexId, regexes: RegexStore): RegexId {
  switch (node.kind) {
    case 'bytes':
      return regexes.bytes(node.ranges);
    case 'empty':
      return regexes.empty;
    case 'concat':
      return regexes.pair(id(node.head), id(node.tail));
    case 'or':
      return regexes.or(node.parts.map(id));
    case 'and':
      return regexes.and(node.parts.map(id));
    case 'complement':
      return regexes.complement(id(node.part));
    case 'repeat':
      return regexes.repeat(id(node.part), node.min, node.max);
  }
  return node satisfies never;
}

/** A vocabulary in few arrays. */
export interface PortableVocabulary extends Omit<Vocabulary, 'bytes'> {
  /** The bytes of all tokens, and where each token's begin. */
  readonly allBytes: Uint8Array;
  readonly starts: Uint32Array; // [size + 1]
}

export function packVocabulary({ bytes, ...rest }: Vocabulary): PortableVocabulary {
  const starts = new Uint32Array(rest.size + 1);
  for (let token = 0; token < rest.size; token++) starts[token + 1] = starts[token]! + bytes.at(token)!.length;
  const allBytes = new Uint8Array(starts[rest.size]!);
  for (let token = 0; token < rest.size; token++) allBytes.set(bytes.at(token)!, starts[token]);
  return { ...rest, allBytes, starts };
}

export function unpackVocabulary({ allBytes, starts, ...rest }: PortableVocabulary): Vocabulary {
  const at = (token: number): Uint8Array | undefined =>
    token < rest.size ? allBytes.subarray(starts[token], starts[token + 1]) : undefined;
  return { ...rest, bytes: { at } };
}

/** Grammars and vocabularies as they go from thread to thread: in few arrays, which are quick to receive, and unpacked in steps. */
import type { Steps } from '../tokenizer/steps.ts';
import type { Token } from '../tokenizer/types.ts';
import type { Grammar, GrammarSymbol, Lexeme, LexemeId, Rule, RuleId } from './grammar.ts';
import type { Ranges, RegexId } from './regex.ts';
import { RegexStore } from './regexes.ts';
import type { Vocabulary } from './vocabulary.ts';

/** A grammar over lexemes and what those are made of, nothing else: numbers, read from first to last. */
export type PortableGrammar = Int32Array;

const kinds = ['bytes', 'empty', 'concat', 'or', 'and', 'complement', 'repeat'] as const;
const symbolKinds = ['rule', 'lexeme', 'tokens'] as const;
/** Rules and nodes of one step: about a millisecond. */
const step = 1_000;

/** Names of rules and lexemes stay behind: they are for messages about what has been found right by then. */
export function packGrammar({ start, lexemes, rules }: Grammar, regexes: RegexStore): PortableGrammar {
  const roots = lexemes.map(({ regex }) => regex);
  const ids = [...reachable(roots, regexes)].sort((a, b) => a - b);
  const placeOf = new Map(ids.map((id, place) => [id, place]));
  const place = (id: RegexId): number => placeOf.get(id)!;
  const out: number[] = [regexes.utf8 === undefined ? 0 : 1, ids.length];
  for (const id of ids) packNode(id, place, regexes, out);
  out.push(lexemes.length);
  for (const { regex, greedy } of lexemes) out.push(place(regex), Number(greedy === true));
  out.push(start, rules.length);
  for (const { alternatives } of rules) {
    out.push(alternatives.length);
    for (const symbols of alternatives) {
      out.push(symbols.length);
      for (const symbol of symbols) packSymbol(symbol, out);
    }
  }
  return Int32Array.from(out);
}

export function* unpackGrammar(packed: PortableGrammar): Steps<{ grammar: Grammar; regexes: RegexStore }> {
  const from = new Numbers(packed);
  const regexes = new RegexStore();
  // What is asked of the negation of nothing is every text of whole characters.
  if (from.next() === 1) regexes.not(regexes.nothing);
  const ids: RegexId[] = [];
  for (let left = from.next(); left > 0; left--) {
    ids.push(unpackNode(from, ids, regexes));
    if (left % step === 0) yield;
  }
  const lexemes = from.list((): Lexeme => {
    const regex = ids[from.next()]!;
    return { name: '', regex, ...(from.next() === 1 && { greedy: true }) };
  });
  const start = from.next() as RuleId;
  const rules: Rule[] = [];
  for (let left = from.next(); left > 0; left--) {
    rules.push({ name: '', alternatives: from.list(() => from.list(() => unpackSymbol(from))) });
    if (left % step === 0) yield;
  }
  return { grammar: { rules, start, lexemes }, regexes };
}

/** Numbers one after the other. */
class Numbers {
  readonly #values: Int32Array;
  #at = 0;

  constructor(values: Int32Array) {
    this.#values = values;
  }

  next(): number {
    return this.#values[this.#at++]!;
  }

  /** How many, then each. */
  list<T>(each: () => T): T[] {
    return Array.from({ length: this.next() }, each);
  }
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

function packNode(id: RegexId, place: (id: RegexId) => number, regexes: RegexStore, out: number[]): void {
  const { sets } = regexes;
  const node = regexes.node(id);
  out.push(kinds.indexOf(node.kind));
  if (node.kind === 'bytes') {
    const ranges = sets.ranges(node.set);
    out.push(ranges.length);
    for (const [first, last] of ranges) out.push(first, last);
  } else if (node.kind === 'concat') out.push(place(node.head), place(node.tail));
  else if (node.kind === 'or' || node.kind === 'and') {
    const char = regexes.countedIn(id);
    if (node.kind === 'and') out.push(char === undefined ? -1 : place(char));
    out.push(node.parts.length);
    for (const part of node.parts) out.push(place(part));
  } else if (node.kind === 'complement') out.push(place(node.part));
  else if (node.kind === 'repeat')
    out.push(place(node.part), node.min, node.max === Number.POSITIVE_INFINITY ? -1 : node.max);
}

function unpackNode(from: Numbers, ids: readonly RegexId[], regexes: RegexStore): RegexId {
  const id = (): RegexId => ids[from.next()]!;
  const kind = kinds[from.next()]!;
  switch (kind) {
    case 'bytes':
      return regexes.bytes(from.list((): Ranges[number] => [from.next(), from.next()]));
    case 'empty':
      return regexes.empty;
    case 'concat':
      return regexes.pair(id(), id());
    case 'or':
      return regexes.or(from.list(id));
    case 'and': {
      const char = ids[from.next()];
      return regexes.counting(char, regexes.and(from.list(id)));
    }
    case 'complement':
      return regexes.complement(id());
    case 'repeat': {
      const [part, min, max] = [id(), from.next(), from.next()];
      return regexes.repeat(part, min, max < 0 ? Number.POSITIVE_INFINITY : max);
    }
  }
  return kind satisfies never;
}

function packSymbol(symbol: GrammarSymbol, out: number[]): void {
  out.push(symbolKinds.indexOf(symbol.kind));
  if (symbol.kind === 'rule') out.push(symbol.rule);
  else if (symbol.kind === 'lexeme') out.push(symbol.lexeme);
  else {
    out.push(symbol.tokens.length);
    for (const token of symbol.tokens) out.push(token);
  }
}

function unpackSymbol(from: Numbers): GrammarSymbol {
  const kind = symbolKinds[from.next()]!;
  if (kind === 'rule') return { kind, rule: from.next() as RuleId };
  if (kind === 'lexeme') return { kind, lexeme: from.next() as LexemeId };
  return { kind, tokens: from.list(() => from.next() as Token) };
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

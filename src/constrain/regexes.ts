import { RealmError } from '../errors.ts';
import { type ByteSetId, ByteSets } from './byte-sets.ts';
import type { Ranges, Regexes, RegexId } from './regex.ts';
import type { Facts, RegexNode, Shape } from './regex-node.ts';
import { type ByteRanges, otherRanges, utf8Sequences } from './utf8.ts';

/** More than there are ever nodes, so that a number holds two handles. */
const maxHandles = 2 ** 26;
/** Units of construction: nodes, and parts of nodes. */
const maxUnits = 1_000_000;
/** Derivatives go down by recursion. */
const maxDepth = 1_000;

const encoder = new TextEncoder();

/** Regular expressions, hash-consed and normalised: `or` and `and` are flat sets, so that derivatives are finitely many. */
export class RegexStore implements Regexes {
  readonly sets = new ByteSets();
  readonly nothing: RegexId;
  readonly empty: RegexId;
  /** Every sequence of bytes. */
  readonly everything: RegexId;
  readonly #nodes: RegexNode[] = [];
  readonly #ids = new Map<string, RegexId>();
  /** By head and tail: most derivatives are such pairs. */
  readonly #pairs = new Map<number, RegexId>();
  /** By byte: it alone. */
  readonly #bytes: RegexId[] = [];
  readonly #oneLess = new Map<RegexId, RegexId>();
  /** The characters of intersections that count them. */
  readonly #counted = new Map<RegexId, RegexId>();
  #units = 0;
  #maxUnits = maxUnits;
  #utf8: RegexId | undefined;

  constructor() {
    this.nothing = this.#leaf({ kind: 'bytes', set: this.sets.none });
    this.empty = this.#leaf({ kind: 'empty' });
    this.everything = this.complement(this.nothing);
  }

  /** Nodes and their parts so far. */
  get units(): number {
    return this.#units;
  }

  /** Every text of whole characters, if it was needed. */
  get utf8(): RegexId | undefined {
    return this.#utf8;
  }

  /** Makes room for what is derived from here on. */
  allow(units: number): void {
    this.#maxUnits = this.#units + units;
  }

  node(id: RegexId): RegexNode {
    return this.#nodes[id];
  }

  literal(text: string): RegexId {
    const bytes = encoder.encode(text);
    return bytes.reduceRight<RegexId>((tail, byte) => this.pair(this.#byte(byte), tail), this.empty);
  }

  #byte(byte: number): RegexId {
    this.#bytes[byte] ??= this.byteSet(this.sets.byte(byte));
    return this.#bytes[byte];
  }

  bytes(ranges: Ranges): RegexId {
    const [only] = ranges;
    if (ranges.length === 1 && only[0] === only[1] && only[0] >= 0 && only[0] < 256) return this.#byte(only[0]);
    return this.byteSet(this.sets.of(ranges));
  }

  byteSet(set: ByteSetId): RegexId {
    return set === this.sets.none ? this.nothing : this.#leaf({ kind: 'bytes', set });
  }

  chars(ranges: Ranges): RegexId {
    return this.#sequences(utf8Sequences(ranges));
  }

  notChars(ranges: Ranges): RegexId {
    return this.chars(otherRanges(ranges));
  }

  concat(parts: readonly RegexId[]): RegexId {
    return parts.reduceRight((tail, head) => this.pair(head, tail), this.empty);
  }

  /** Two in a row. Not associated anew: a derivative keeps the shape. */
  pair(head: RegexId, tail: RegexId): RegexId {
    if (head === this.nothing || tail === this.nothing) return this.nothing;
    if (head === this.empty) return tail;
    if (tail === this.empty) return head;
    const key = head * maxHandles + tail;
    let id = this.#pairs.get(key);
    if (id === undefined) {
      id = this.#concat(head, tail);
      this.#pairs.set(key, id);
    }
    return id;
  }

  #concat(head: RegexId, tail: RegexId): RegexId {
    const h = this.node(head);
    const t = this.node(tail);
    return this.#make(1, { kind: 'concat', head, tail }, () => ({
      nullable: h.nullable && t.nullable,
      first: h.nullable ? this.sets.union(h.first, t.first) : h.first,
      plain: h.plain && t.plain,
      finite: h.finite && t.finite,
      depth: 1 + (h.nullable ? Math.max(h.depth, t.depth) : h.depth),
      least: h.least + t.least,
    }));
  }

  or(parts: readonly RegexId[]): RegexId {
    const flat = this.#flatten('or', parts);
    let bytes = this.sets.none;
    const rest: RegexId[] = [];
    for (const id of flat) {
      const node = this.node(id);
      if (node.kind === 'bytes') bytes = this.sets.union(bytes, node.set);
      else rest.push(id);
      if (node.kind === 'complement' && flat.has(node.part)) return this.everything;
    }
    if (flat.has(this.everything)) return this.everything;
    if (bytes !== this.sets.none) rest.push(this.byteSet(bytes));
    const merged = this.#mergeRepeats(rest);
    const nullable = merged.some(id => id !== this.empty && this.node(id).nullable);
    const kept = nullable ? merged.filter(id => id !== this.empty) : merged;
    if (kept.length < 2) return kept[0] ?? this.nothing;
    return this.#set(
      'or',
      kept,
      kept.reduce((set, id) => this.sets.union(set, this.node(id).first), this.sets.none),
    );
  }

  and(parts: readonly RegexId[]): RegexId {
    const flat = this.#flatten('and', parts);
    let bytes = this.sets.all;
    let hasBytes = false;
    const rest: RegexId[] = [];
    for (const id of flat) {
      const node = this.node(id);
      if (id === this.nothing || (node.kind === 'complement' && flat.has(node.part))) return this.nothing;
      if (node.kind === 'bytes') {
        bytes = this.sets.intersection(bytes, node.set);
        hasBytes = true;
      } else if (id !== this.everything) rest.push(id);
    }
    if (hasBytes) rest.push(this.byteSet(bytes));
    if (rest.includes(this.nothing)) return this.nothing;
    if (rest.length < 2) return rest[0] ?? this.everything;
    const first = rest.reduce((set, id) => this.sets.intersection(set, this.node(id).first), this.sets.all);
    const nullable = rest.every(id => this.node(id).nullable);
    if (first === this.sets.none) return nullable ? this.empty : this.nothing;
    return this.#set('and', rest, first);
  }

  not(part: RegexId): RegexId {
    this.#utf8 ??= this.repeat(this.notChars([]), 0);
    return this.and([this.#utf8, this.complement(part)]);
  }

  repeat(part: RegexId, min: number, max = Number.POSITIVE_INFINITY): RegexId {
    if (max < min) return this.nothing;
    if (max === 0 || part === this.empty) return this.empty;
    if (part === this.nothing) return min === 0 ? this.empty : this.nothing;
    if (min === 1 && max === 1) return part;
    const node = this.node(part);
    const least = node.nullable ? 0 : min;
    // (x*)* and the like are the inner one.
    if (node.kind === 'repeat' && node.min === 0 && node.max === Number.POSITIVE_INFINITY) return part;
    return this.#intern(`{${part},${least},${max}`, 1, { kind: 'repeat', part, min: least, max }, () => ({
      nullable: least === 0,
      first: node.first,
      plain: node.plain,
      finite: node.finite && max < Number.POSITIVE_INFINITY,
      depth: node.depth + 1,
      least: node.least * least,
    }));
  }

  /** The texts of a regular expression that have so many characters; it matches nothing but such characters. */
  count(regex: RegexId, char: RegexId, min: number, max: number): RegexId {
    return this.counting(char, this.and([regex, this.repeat(char, min, max)]));
  }

  /** The characters that an intersection counts, if it is made by {@link count} or derived from what was. */
  countedIn(regex: RegexId): RegexId | undefined {
    return this.#counted.get(regex);
  }

  /** Says that an intersection is derived from one that counts those characters. */
  counting(char: RegexId | undefined, derived: RegexId): RegexId {
    if (char !== undefined && this.node(derived).kind === 'and') this.#counted.set(derived, char);
    return derived;
  }

  /** What is left of a repetition behind one of its parts. */
  oneLess(repeat: RegexId): RegexId {
    let less = this.#oneLess.get(repeat);
    if (less === undefined) {
      const node = this.node(repeat) as Extract<RegexNode, { kind: 'repeat' }>;
      less = this.repeat(node.part, Math.max(node.min - 1, 0), node.max - 1);
      this.#oneLess.set(repeat, less);
    }
    return less;
  }

  complement(part: RegexId): RegexId {
    const node = this.node(part);
    if (node.kind === 'complement') return node.part;
    return this.#intern(`!${part}`, 1, { kind: 'complement', part }, () => ({
      nullable: !node.nullable,
      first: this.sets.all,
      plain: part === this.nothing,
      finite: false,
      depth: node.depth + 1,
      least: node.nullable ? 1 : 0,
    }));
  }

  #flatten(kind: 'or' | 'and', parts: readonly RegexId[]): Set<RegexId> {
    const flat = new Set<RegexId>();
    for (const id of parts) {
      const node = this.node(id);
      // A part of the same kind is flat itself.
      if (node.kind === kind) for (const inner of node.parts) flat.add(inner);
      else if (kind === 'and' || id !== this.nothing) flat.add(id);
    }
    return flat;
  }

  /** x{2,3}|x{4,9} is x{2,9}: what ambiguous repeats would pile up otherwise. */
  #mergeRepeats(parts: RegexId[]): RegexId[] {
    const byPart = new Map<RegexId, { min: number; max: number }[]>();
    for (const id of parts) {
      const node = this.node(id);
      if (node.kind !== 'repeat') continue;
      const list = byPart.get(node.part);
      if (list) list.push({ min: node.min, max: node.max });
      else byPart.set(node.part, [{ min: node.min, max: node.max }]);
    }
    const several = [...byPart].filter(([, list]) => list.length > 1);
    if (several.length === 0) return parts;
    const kept = parts.filter(id => {
      const node = this.node(id);
      return node.kind !== 'repeat' || byPart.get(node.part)!.length === 1;
    });
    for (const [part, list] of several) {
      list.sort((a, b) => a.min - b.min);
      let last = list[0];
      for (const next of list.slice(1)) {
        if (next.min <= last.max + 1) last.max = Math.max(last.max, next.max);
        else {
          kept.push(this.repeat(part, last.min, last.max));
          last = next;
        }
      }
      kept.push(this.repeat(part, last.min, last.max));
    }
    return kept;
  }

  #set(kind: 'or' | 'and', parts: RegexId[], first: ByteSetId): RegexId {
    parts.sort((a, b) => a - b);
    const nodes = parts.map(id => this.node(id));
    return this.#intern(`${kind === 'or' ? '|' : '&'}${parts.join()}`, parts.length, { kind, parts }, () => ({
      nullable: kind === 'or' ? nodes.some(node => node.nullable) : nodes.every(node => node.nullable),
      first,
      plain: kind === 'or' && nodes.every(node => node.plain),
      finite: kind === 'or' ? nodes.every(node => node.finite) : nodes.some(node => node.finite),
      depth: 1 + nodes.reduce((depth, node) => Math.max(depth, node.depth), 0),
      least: nodes.reduce(
        (least, node) => (kind === 'or' ? Math.min(least, node.least) : Math.max(least, node.least)),
        kind === 'or' ? Number.POSITIVE_INFINITY : 0,
      ),
    }));
  }

  /** Sequences that begin alike go on together, first bytes that go on alike become one set. */
  #sequences(sequences: readonly ByteRanges[]): RegexId {
    if (sequences.length === 0) return this.nothing;
    if (sequences[0].length === 0) return this.empty;
    const tails = new Map<string, ByteRanges[]>();
    for (const [first, ...tail] of sequences) {
      const key = `${first.join()},${tail.length}`;
      const list = tails.get(key);
      if (list) list.push(tail);
      else tails.set(key, [tail]);
    }
    const firsts = new Map<RegexId, [number, number][]>();
    for (const [key, list] of tails) {
      const [from, to] = key.split(',').map(Number);
      const tail = this.#sequences(list);
      const ranges = firsts.get(tail);
      if (ranges) ranges.push([from, to]);
      else firsts.set(tail, [[from, to]]);
    }
    return this.or([...firsts].map(([tail, ranges]) => this.pair(this.bytes(ranges), tail)));
  }

  #leaf(shape: Extract<Shape, { kind: 'bytes' | 'empty' }>): RegexId {
    const set = shape.kind === 'bytes' ? shape.set : this.sets.none;
    const key = shape.kind === 'bytes' ? `b${set}` : '';
    return this.#intern(key, 1, shape, () => ({
      nullable: shape.kind === 'empty',
      first: set,
      plain: true,
      finite: true,
      depth: 0,
      least: shape.kind === 'bytes' ? 1 : 0,
    }));
  }

  #intern(key: string, units: number, shape: Shape, facts: () => Pick<RegexNode, Facts>): RegexId {
    let id = this.#ids.get(key);
    if (id === undefined) {
      id = this.#make(units, shape, facts);
      this.#ids.set(key, id);
    }
    return id;
  }

  #make(units: number, shape: Shape, facts: () => Pick<RegexNode, Facts>): RegexId {
    const node = { ...shape, ...facts() } as RegexNode;
    this.#units += units;
    if (this.#units > this.#maxUnits || node.depth > maxDepth) {
      throw new RealmError('grammar_limit', 'the grammar’s regular expressions are too large or nested too deep');
    }
    return (this.#nodes.push(node) - 1) as RegexId;
  }
}

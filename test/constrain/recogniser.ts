/** Whether a text is in a grammar's language: Earley's algorithm over bytes, plain and slow, as an oracle for the engine. */
import { Derivatives } from '../../src/constrain/derivatives.ts';
import type { Grammar, GrammarSymbol } from '../../src/constrain/grammar.ts';
import type { RegexStore } from '../../src/constrain/regexes.ts';

interface Item {
  readonly rule: number;
  readonly symbols: readonly GrammarSymbol[];
  readonly dot: number;
  readonly origin: Row;
}

class Row {
  readonly items: Item[] = [];
  readonly #known = new Map<readonly GrammarSymbol[], Map<string, Set<Row>>>();
  readonly waiting = new Map<number, Item[]>();
  readonly predicted = new Set<number>();
  readonly completed = new Set<number>();

  add(item: Item): void {
    let dots = this.#known.get(item.symbols);
    dots ??= new Map();
    this.#known.set(item.symbols, dots);
    const key = `${item.rule},${item.dot}`;
    let origins = dots.get(key);
    origins ??= new Set();
    dots.set(key, origins);
    if (origins.has(item.origin)) return;
    origins.add(item.origin);
    this.items.push(item);
  }
}

export class Recogniser {
  readonly #grammar: Grammar;
  readonly #derivatives: Derivatives;
  readonly #regexes: RegexStore;

  constructor(grammar: Grammar, regexes: RegexStore) {
    this.#grammar = grammar;
    this.#regexes = regexes;
    this.#derivatives = new Derivatives(regexes);
  }

  accepts(text: string): boolean {
    const rows = this.#rows(new TextEncoder().encode(text));
    return rows
      .at(-1)!
      .items.some(
        item => item.rule === this.#grammar.start && item.origin === rows[0] && item.dot === item.symbols.length,
      );
  }

  #rows(bytes: Uint8Array): Row[] {
    const rows = Array.from({ length: bytes.length + 1 }, () => new Row());
    this.#predict(rows[0]!, this.#grammar.start);
    for (let at = 0; at <= bytes.length; at++) {
      const row = rows[at]!;
      const scanned = new Map<number, Item[]>();
      for (let next = 0; next < row.items.length; next++) this.#step(row, row.items[next]!, scanned);
      for (const [lexeme, items] of scanned) {
        for (const end of this.#ends(lexeme, bytes, at))
          for (const item of items) rows[end]!.add({ ...item, dot: item.dot + 1 });
      }
    }
    return rows;
  }

  /** What stands before and behind the last place that a lexeme reaches, for messages. */
  stuck(text: string): string {
    const bytes = new TextEncoder().encode(text);
    const last = this.#rows(bytes).findLastIndex(row => row.items.length > 0);
    const part = (from: number, to?: number) => new TextDecoder().decode(bytes.subarray(from, to));
    return `${part(Math.max(last - 60, 0), last)} >>> ${part(last, last + 40)}`;
  }

  #predict(row: Row, rule: number): void {
    if (row.predicted.has(rule)) return;
    row.predicted.add(rule);
    for (const symbols of this.#grammar.rules[rule]!.alternatives) row.add({ rule, symbols, dot: 0, origin: row });
  }

  #step(row: Row, item: Item, scanned: Map<number, Item[]>): void {
    const symbol = item.symbols[item.dot];
    if (!symbol) {
      if (item.origin === row) row.completed.add(item.rule);
      for (const waiting of item.origin.waiting.get(item.rule) ?? []) row.add({ ...waiting, dot: waiting.dot + 1 });
    } else if (symbol.kind === 'rule') {
      const list = row.waiting.get(symbol.rule);
      if (list) list.push(item);
      else row.waiting.set(symbol.rule, [item]);
      this.#predict(row, symbol.rule);
      if (row.completed.has(symbol.rule)) row.add({ ...item, dot: item.dot + 1 });
    } else if (symbol.kind === 'lexeme') {
      const list = scanned.get(symbol.lexeme);
      if (list) list.push(item);
      else scanned.set(symbol.lexeme, [item]);
    }
  }

  *#ends(lexeme: number, bytes: Uint8Array, from: number): Generator<number> {
    const derivatives = this.#derivatives;
    let { regex } = this.#grammar.lexemes[lexeme]!;
    for (let at = from; ; at++) {
      // An empty lexeme ends where it begins, which this algorithm does not need.
      if (at > from && this.#regexes.node(regex).nullable) yield at;
      if (at === bytes.length || regex === this.#regexes.nothing) return;
      regex = derivatives.by(regex, derivatives.classOf[bytes[at]!]!);
    }
  }
}

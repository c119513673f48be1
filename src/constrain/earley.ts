import { RealmError } from '../errors.ts';
import type { Token } from '../tokenizer/types.ts';
import type { LexemeId } from './grammar.ts';
import type { LexemeSet } from './lexer.ts';
import { end, type RuleTable } from './rule-table.ts';

/** How far an alternative has come, and what goes on when it has ended. */
export interface Item {
  readonly position: number;
  readonly to: Return;
}

/**
 * Who waits for a rule that began in a row: items already moved behind it. Those that have ended with it are left out
 * and `also` has whom they return to: so a right recursion returns in one step and a list of it needs no more rows than
 * a left one's (what Leo's items are for; with hash-consed rows it is a tail call).
 */
export interface Return {
  readonly id: number;
  waiting: Item[];
  also: Set<Return>;
}

/** What may come in one place of the text. Hash-consed: rows of the same items are the same object, wherever they are. */
export interface Row {
  readonly id: number;
  /** The whole text may end here. */
  readonly isAccepting: boolean;
  /** Its items, predicted ones too. */
  readonly cost: number;
  /** In order. */
  readonly lexemes: LexemeSet;
  /** By lexeme: the items moved behind it. */
  readonly behind: ReadonlyMap<LexemeId, readonly Item[]>;
  /** The same for tokens. */
  readonly behindTokens: readonly { readonly tokens: readonly Token[]; readonly item: Item }[];
  readonly scans: Map<LexemeSet, Row>;
}

/** Lexemes that end in one place, and the row in which they began. */
export interface Ending {
  readonly row: Row;
  readonly lexemes: LexemeSet;
}

/** Items that scanning and completion put into a row. */
const maxRowItems = 2_000;
/** Items, predicted ones too, that one row may take. */
const maxRowWork = 50_000;

/**
 * Earley's parser over lexemes. A row's items point to whom they return to and not to a place in the text, so rows are
 * values: nothing is written when the text goes on, forks share everything, and going back is keeping the old row.
 */
export class Earley {
  readonly start: Row;
  readonly #table: RuleTable;
  readonly #end: Return = { id: 0, waiting: [], also: new Set() };
  readonly #rows = new Map<string, Row>();
  /** Those that hold others. */
  readonly #scanned = new Set<Row>();
  #returns = 1;
  #count = 0;
  #work = 0;

  constructor(table: RuleTable) {
    this.#table = table;
    this.start = this.#row(table.alternatives[table.start].map(position => ({ position, to: this.#end })));
  }

  get rows(): number {
    return this.#rows.size;
  }

  /** Forgets rows; those that are still held stay as they are. */
  forget(): void {
    for (const row of this.#scanned) row.scans.clear();
    this.#scanned.clear();
    this.#rows.clear();
  }

  /** The row behind lexemes that end in one place. */
  scan(endings: readonly Ending[]): Row {
    const [{ row, lexemes }] = endings;
    if (endings.length > 1) return this.#row(endings.flatMap(itemsBehind));
    let next = row.scans.get(lexemes);
    if (!next) {
      next = this.#row(itemsBehind(endings[0]));
      this.#scanned.add(row);
      row.scans.set(lexemes, next);
    }
    return next;
  }

  /** The row behind a token that the grammar names, if it may come. */
  scanToken(row: Row, token: Token): Row | undefined {
    const items = row.behindTokens.filter(({ tokens }) => tokens.includes(token)).map(({ item }) => item);
    return items.length > 0 ? this.#row(items) : undefined;
  }

  #row(items: readonly Item[]): Row {
    this.#work = 0;
    const { open, isAccepting } = this.#complete(items);
    const key = `${isAccepting}${[...open.keys()].sort((a, b) => a - b).join()}`;
    let row = this.#rows.get(key);
    if (!row) {
      row = this.#predict([...open.values()], isAccepting);
      this.#rows.set(key, row);
    }
    return row;
  }

  /** The items that wait for something to come, after all that has ended was returned from. */
  #complete(items: readonly Item[]): { open: Map<number, Item>; isAccepting: boolean } {
    const { symbols, nullable } = this.#table;
    const open = new Map<number, Item>();
    const returned = new Set<Return>();
    const todo = [...items];
    while (todo.length > 0) {
      const item = todo.pop()!;
      const symbol = symbols[item.position];
      this.#spend(open.size);
      if (symbol === end) {
        if (returned.has(item.to)) continue;
        returned.add(item.to);
        for (const waiting of item.to.waiting) todo.push(waiting);
        for (const to of item.to.also) todo.push({ position: item.position, to });
        continue;
      }
      const key = item.to.id * symbols.length + item.position;
      if (open.has(key)) continue;
      open.set(key, item);
      if (nullable[symbol]) todo.push({ position: item.position + 1, to: item.to });
    }
    return { open, isAccepting: returned.has(this.#end) };
  }

  #predict(open: readonly Item[], isAccepting: boolean): Row {
    const table = this.#table;
    const { symbols, nullable } = table;
    const firstHere = this.#returns;
    const returns = new Map<number, Return>();
    const behind = new Map<LexemeId, Item[]>();
    const behindTokens: { tokens: readonly Token[]; item: Item }[] = [];
    const todo = [...open];
    let cost = 0;
    const wait = (rule: number, item: Item): void => {
      let to = returns.get(rule);
      if (!to) {
        to = { id: this.#returns++, waiting: [], also: new Set() };
        returns.set(rule, to);
        for (const position of table.alternatives[rule]) todo.push({ position, to });
      }
      if (symbols[item.position] !== end) to.waiting.push(item);
      else if (item.to !== to) to.also.add(item.to);
    };
    for (let item = todo.pop(); item; item = todo.pop()) {
      const symbol = symbols[item.position];
      // What ends without having begun was skipped where it was waited for.
      if (symbol === end) continue;
      this.#spend(0);
      cost++;
      const next = { position: item.position + 1, to: item.to };
      // Completion did so for the others.
      if (nullable[symbol] && item.to.id >= firstHere) todo.push(next);
      const tokens = table.tokenSet(symbol);
      if (table.isRule(symbol)) wait(symbol, next);
      else if (tokens) behindTokens.push({ tokens, item: next });
      else {
        const lexeme = table.lexeme(symbol) as LexemeId;
        const list = behind.get(lexeme);
        if (list) list.push(next);
        else behind.set(lexeme, [next]);
      }
    }
    shorten(returns.values());
    return {
      id: this.#count++,
      isAccepting,
      cost,
      lexemes: [...behind.keys()].sort((a, b) => a - b),
      behind: new Map([...behind].map(([lexeme, list]) => [lexeme, list.map(direct)])),
      behindTokens: behindTokens.map(({ tokens, item }) => ({ tokens, item: direct(item) })),
      scans: new Map(),
    };
  }

  #spend(items: number): void {
    if (items > maxRowItems || ++this.#work > maxRowWork) throw tooAmbiguous();
  }
}

export function tooAmbiguous(): RealmError {
  return new RealmError('grammar_limit', 'the grammar is too ambiguous: too much is possible in one place');
}

const itemsBehind = ({ row, lexemes }: Ending): Item[] => lexemes.flatMap(lexeme => row.behind.get(lexeme)!);

/** Items return straight to whom they would return through others for whom nothing waits. */
function shorten(returns: Iterable<Return>): void {
  for (const to of returns) {
    to.waiting = to.waiting.map(direct);
    to.also = new Set([...to.also].map(finalReturn));
    to.also.delete(to);
  }
}

const direct = (item: Item): Item => ({ position: item.position, to: finalReturn(item.to) });

function finalReturn(to: Return): Return {
  const seen = new Set<Return>();
  let last = to;
  while (last.waiting.length === 0 && last.also.size === 1 && !seen.has(last)) {
    seen.add(last);
    [last] = last.also;
  }
  return last;
}

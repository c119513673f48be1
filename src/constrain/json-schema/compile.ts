import type { GrammarSymbol } from '../grammar.ts';
import type { GrammarBuilder } from '../grammar-builder.ts';
import type { JsonText } from '../json-text.ts';
import type { RegexId } from '../regex.ts';
import { Repeats } from '../repeats.ts';
import { unsupported } from './budget.ts';
import type { Alternative, Compiling, Punctuation } from './compiling.ts';
import { containingItems } from './containing-items.ts';
import type { ArrayForm, Form, SchemaNode, StringForm } from './forms.ts';
import type { Nodes } from './node.ts';
import { numberRegex } from './numbers.ts';
import { objectAlternatives } from './objects.ts';

/** Turns the nodes of a schema into rules: one for each node that is more than a lexeme. */
export class SchemaCompiler implements Compiling {
  readonly builder: GrammarBuilder;
  readonly nodes: Nodes;
  readonly text: JsonText;
  readonly punctuation: Punctuation;
  readonly repeats: Repeats;
  readonly #values = new Map<string, GrammarSymbol | undefined>();
  readonly #pending: (() => void)[] = [];

  constructor(builder: GrammarBuilder, nodes: Nodes) {
    this.builder = builder;
    this.nodes = nodes;
    this.text = nodes.text;
    this.punctuation = punctuation(builder, this.text);
    this.repeats = new Repeats(builder);
  }

  /** The symbol of a value, with all rules that it needs; undefined where nothing matches. */
  compile(node: SchemaNode): GrammarSymbol | undefined {
    const symbol = this.value(node);
    for (let define = this.#pending.pop(); define; define = this.#pending.pop()) define();
    return symbol;
  }

  value(node: SchemaNode): GrammarSymbol | undefined {
    if (this.#values.has(node.key)) return this.#values.get(node.key);
    const forms = node.forms();
    this.nodes.budget.spend(forms.length);
    const scalar = this.#scalar(forms, node);
    const containers = forms.filter(form => form.type === 'array' || form.type === 'object');
    if (containers.length === 0) {
      this.#values.set(node.key, scalar);
      return scalar;
    }
    const rule = this.builder.declare(node.path || 'value');
    const symbol = this.builder.use(rule);
    this.#values.set(node.key, symbol);
    this.#pending.push(() => {
      const alternatives = containers.flatMap(form =>
        form.type === 'array' ? this.#array(form, node.path) : objectAlternatives(form, this, node.path),
      );
      this.builder.define(rule, scalar ? [[scalar], ...alternatives] : alternatives);
    });
    return symbol;
  }

  /** One lexeme for all that is neither an array nor an object. */
  #scalar(forms: readonly Form[], node: SchemaNode): GrammarSymbol | undefined {
    const { text } = this;
    const regexes = forms.flatMap(form => this.#scalarRegex(form, node) ?? []);
    const regex = text.regexes.or(regexes);
    if (regex === text.regexes.nothing || this.nodes.tests.isNothing(regex)) return undefined;
    return this.builder.lexeme(node.path || 'value', regex, { greedy: true });
  }

  #scalarRegex(form: Form, node: SchemaNode): RegexId | undefined {
    const { text } = this;
    switch (form.type) {
      case 'null':
        return text.word(null);
      case 'boolean':
        return text.word(form.value);
      case 'number': {
        const regex = numberRegex(form, text);
        if (regex === undefined)
          throw unsupported(
            'multipleOf',
            node.path,
            'without a minimum and a maximum close to each other only steps like 5, 100 or 0.01 can be',
          );
        return regex;
      }
      case 'string':
        return writtenString(form, text);
      default:
        return undefined;
    }
  }

  #array(form: ArrayForm, path: string): readonly Alternative[] {
    if (form.contains.length > 0) return containingItems(form, this, path);
    const { comma, openArray, closeArray, emptyArray } = this.punctuation;
    const items: GrammarSymbol[] = [];
    let { max } = form;
    for (const node of form.prefix.slice(0, max)) {
      const symbol = this.value(node);
      if (!symbol) max = items.length;
      if (!symbol) break;
      items.push(symbol);
    }
    const rest = max > items.length ? this.value(form.items) : undefined;
    if (!rest) max = Math.min(max, items.length);
    const empty = form.min === 0 ? [[emptyArray]] : [];
    if (max < Math.max(form.min, 1)) return max < form.min ? [] : empty;
    const { min } = form;
    const behind = (count: number) => [comma, rest!, count] as const;
    let tail: Alternative = [];
    const more = (placed: number): Alternative =>
      rest
        ? [this.repeats.between(behind(placed).slice(0, 2) as GrammarSymbol[], Math.max(min - placed, 0), max - placed)]
        : [];
    if (items.length === 0) return [...empty, [openArray, rest!, ...more(1), closeArray]];
    tail = more(items.length);
    for (let placed = items.length - 1; placed > 0; placed--) {
      const next = [comma, items[placed]!, ...tail];
      tail = placed >= min ? [this.builder.rule('items', [[], next])] : next;
    }
    return [...empty, [openArray, items[0]!, ...tail, closeArray]];
  }
}

export function writtenString({ values, content }: StringForm, text: JsonText): RegexId {
  return text.quoted(values ? text.regexes.or([...values].map(value => text.content(value))) : content);
}

function punctuation(builder: GrammarBuilder, text: JsonText): Punctuation {
  const { regexes, gap } = text;
  const lexeme = (...parts: (string | RegexId)[]) => {
    const name = parts.filter(part => typeof part === 'string').join('');
    const regex = regexes.concat(parts.map(part => (typeof part === 'string' ? regexes.literal(part) : part)));
    return builder.lexeme(name, regex, { greedy: true });
  };
  return {
    comma: lexeme(gap, ',', gap),
    openObject: lexeme('{', gap),
    closeObject: lexeme(gap, '}'),
    emptyObject: lexeme('{', gap, '}'),
    openArray: lexeme('[', gap),
    closeArray: lexeme(gap, ']'),
    emptyArray: lexeme('[', gap, ']'),
  };
}

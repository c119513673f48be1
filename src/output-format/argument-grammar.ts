import type { GrammarSymbol } from '../constrain/grammar.ts';
import type { GrammarBuilder } from '../constrain/grammar-builder.ts';
import { addJsonSchema, stringRegex } from '../constrain/json-schema/index.ts';
import { RealmError } from '../errors.ts';
import { NestedGrammar } from './nested-grammar.ts';
import type { Notations } from './notations.ts';
import { possible } from './possible.ts';
import { isAnything } from './schema-options.ts';
import type { Sequence } from './sequence.ts';
import { anyBut } from './text-regexes.ts';
import { type ArgumentStyle, type JsonType, KEY, type TaggedArguments } from './types.ts';

type Schema = Readonly<Record<string, unknown>>;

/** Appends a tool's arguments as the format writes them. `parameters`: their JSON Schema, as JSON text. */
export function addArguments(
  style: ArgumentStyle,
  parameters: string,
  sequence: Sequence,
  builder: GrammarBuilder,
  notations: Notations,
): void {
  const schema = objectSchema(JSON.parse(parameters));
  if (style.kind === 'json') {
    const { quote } = style;
    const text = quote === undefined ? notations.of('json', '') : notations.of('quoted', quote);
    sequence.symbol(addJsonSchema(schema, builder, text));
  } else sequence.symbol(...new TaggedGrammar(style, schema, sequence, builder, notations).symbols());
}

/** Arguments are always an object. */
function objectSchema(schema: unknown): Schema {
  return { ...(typeof schema === 'object' && schema !== null ? schema : {}), type: 'object' };
}

/** Keywords that a list of tagged arguments keeps, or that demand nothing. */
const known = new Set([
  ...['type', 'properties', 'required', 'additionalProperties', '$defs', 'definitions'],
  ...['$schema', '$id', '$comment', 'title', 'description', 'default', 'examples', 'strict'],
]);

const types: readonly JsonType[] = ['string', 'number', 'boolean', 'null', 'array', 'object'];
/** Types whose values are a word or a number. */
const words: ReadonlySet<string> = new Set(['number', 'integer', 'boolean', 'null']);

/** The declared arguments in their order, those that are not required or not. */
class TaggedGrammar {
  readonly #style: TaggedArguments;
  readonly #schema: Schema;
  readonly #sequence: () => Sequence;
  readonly #builder: GrammarBuilder;
  readonly #notations: Notations;
  readonly #nested: NestedGrammar | undefined;

  constructor(
    style: TaggedArguments,
    schema: Schema,
    sequence: Sequence,
    builder: GrammarBuilder,
    notations: Notations,
    nested?: NestedGrammar,
  ) {
    const other = Object.keys(schema).find(keyword => !known.has(keyword));
    if (other !== undefined)
      throw new RealmError(
        'schema_unsupported',
        `${other} cannot be enforced for arguments that the model writes one by one`,
        { param: `/${other}` },
      );
    this.#style = style;
    this.#schema = schema;
    this.#sequence = () => sequence.another();
    this.#builder = builder;
    this.#notations = notations;
    const { items } = style;
    if (items !== undefined) {
      const members = (object: Schema, self: NestedGrammar) =>
        new TaggedGrammar(style, object, sequence, builder, notations, self).symbols();
      this.#nested = nested ?? new NestedGrammar(style, items, schema, sequence, builder, notations, members);
    }
  }

  symbols(): readonly GrammarSymbol[] {
    const members = this.#members();
    // What may follow once an argument is written, from the last one on, and where none is yet.
    let written: readonly GrammarSymbol[] = [];
    let none: readonly GrammarSymbol[] = [];
    for (const { symbols, isRequired } of members.reverse()) {
      const next = this.#sequence()
        .literal(this.#style.between)
        .symbol(...symbols, ...written).symbols;
      const first = [...symbols, ...written];
      written = isRequired ? next : [this.#builder.rule('arguments', [next, written])];
      none = isRequired ? first : [this.#builder.rule('arguments', [first, none])];
    }
    return none;
  }

  #members(): { symbols: readonly GrammarSymbol[]; isRequired: boolean }[] {
    const properties = Object.entries((this.#schema.properties ?? {}) as Schema);
    const required = new Set(Array.isArray(this.#schema.required) ? (this.#schema.required as unknown[]) : []);
    const undeclared = [...required].filter(name => !properties.some(([key]) => key === name));
    for (const name of undeclared) properties.push([String(name), {}]);
    return properties.flatMap(([key, schema]): { symbols: readonly GrammarSymbol[]; isRequired: boolean }[] => {
      const isRequired = required.has(key);
      if (isRequired) return [{ symbols: this.#member(key, schema), isRequired }];
      // What no value fits is left out, as it may be.
      return possible(() => this.#member(key, schema)).map(symbols => ({ symbols, isRequired }));
    });
  }

  #member(key: string, schema: unknown): readonly GrammarSymbol[] {
    if (this.#nested) return this.#nested.element(key, schema);
    const { middle, strings, others } = this.#style;
    if (typeof middle === 'string' && strings === 'raw' && isAnything(schema)) return this.#anything(key, middle);
    const whole = { ...this.#definitions(), ...(schema === false ? { not: {} } : (schema as Schema)) };
    if (typeof middle === 'string' && (others !== 'mixed' || whole.type === 'string'))
      return this.#written(key, middle, whole, whole.type === 'string');
    // Types that are written alike go together; the parser reads as text what is written as one.
    const middleOf = (type: JsonType) => (typeof middle === 'string' ? middle : middle[type]);
    const groups = Map.groupBy(types, type => `${others === 'mixed' && words.has(type)} ${middleOf(type)}`);
    const alternatives = [...groups.values()].flatMap(group => {
      const fitting = group.flatMap(type => narrowed(whole.type, type));
      const isString = typeof middle !== 'string' && strings === 'raw' && group.includes('string');
      const narrow = { ...whole, type: fitting };
      return fitting.length === 0 ? [] : possible(() => this.#written(key, middleOf(group[0]!), narrow, isString));
    });
    if (alternatives.length === 0) return this.#written(key, '', { ...whole, not: {} }, false);
    return [this.#builder.rule('argument', alternatives)];
  }

  /** What is read as whatever it looks like. */
  #anything(key: string, middle: string): readonly GrammarSymbol[] {
    const { before, after } = this.#style;
    const sequence = this.#sequence().literal(before).literal(key).literal(middle);
    return sequence.regex(anyBut(after.trim(), this.#builder.regexes)).literal(after).symbols;
  }

  #written(key: string, middle: string, schema: Schema, isString: boolean): readonly GrammarSymbol[] {
    const { before, after } = this.#style;
    const sequence = this.#sequence().literal(before).literal(key).literal(middle);
    this.#value(schema, isString, sequence);
    return sequence.literal(after.replace(KEY, key)).symbols;
  }

  #value(schema: Schema, isString: boolean, sequence: Sequence): void {
    const { strings, others, after } = this.#style;
    const end = strings === 'raw' ? after.trim() : '';
    if (isString && strings === 'raw') {
      this.#text(schema, end, sequence);
      return;
    }
    const isMixed = others === 'mixed' && Array.isArray(schema.type) && schema.type.every(type => words.has(type));
    const notation = isString ? strings : isMixed ? 'python' : others;
    const text = this.#notations.of(notation === 'python' ? 'python' : 'json', end);
    sequence.symbol(addJsonSchema(schema, this.#builder, text));
  }

  /** Texts that could be taken for something else are wrapped. */
  #text(schema: Schema, end: string, sequence: Sequence): void {
    const { wrapped } = this.#style;
    const raw = stringRegex(schema, this.#notations.of('raw', wrapped ? '<' : end));
    if (!wrapped) sequence.regex(raw);
    else {
      const inner = stringRegex(schema, this.#notations.of('raw', wrapped.close));
      const section = this.#sequence().literal(wrapped.open).regex(inner).literal(wrapped.close);
      sequence.symbol(this.#builder.rule('text', [this.#sequence().regex(raw).symbols, section.symbols]));
    }
  }

  #definitions(): Schema {
    const { $defs, definitions } = this.#schema;
    return { ...($defs !== undefined && { $defs }), ...(definitions !== undefined && { definitions }) };
  }
}

/** The types of JSON Schema that are `type` and that `declared` has. */
function narrowed(declared: unknown, type: JsonType): string[] {
  const all = declared === undefined ? undefined : new Set(Array.isArray(declared) ? declared : [declared]);
  if (type !== 'number') return all === undefined || all.has(type) ? [type] : [];
  if (all === undefined || all.has('number')) return ['number'];
  return all.has('integer') ? ['integer'] : [];
}

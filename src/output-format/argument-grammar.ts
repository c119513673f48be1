import type { GrammarSymbol } from '../constrain/grammar.ts';
import type { GrammarBuilder } from '../constrain/grammar-builder.ts';
import { addJsonSchema, stringRegex } from '../constrain/json-schema/index.ts';
import { RealmError } from '../errors.ts';
import { JsonBefore, PythonText, RawText } from './notations.ts';
import type { Sequence } from './sequence.ts';
import type { ArgumentStyle, TaggedArguments } from './types.ts';

type Schema = Readonly<Record<string, unknown>>;

/** Appends a tool's arguments as the format writes them. `parameters`: their JSON Schema, as JSON text. */
export function addArguments(
  style: ArgumentStyle,
  parameters: string,
  sequence: Sequence,
  builder: GrammarBuilder,
): void {
  const schema = objectSchema(JSON.parse(parameters));
  if (style.kind === 'json') sequence.symbol(addJsonSchema(schema, builder));
  else sequence.symbol(...new TaggedGrammar(style, schema, sequence, builder).symbols());
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

/** The declared arguments in their order, those that are not required or not. */
class TaggedGrammar {
  readonly #style: TaggedArguments;
  readonly #schema: Schema;
  readonly #sequence: () => Sequence;
  readonly #builder: GrammarBuilder;

  constructor(style: TaggedArguments, schema: Schema, sequence: Sequence, builder: GrammarBuilder) {
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
    return properties.map(([key, schema]) => ({ symbols: this.#member(key, schema), isRequired: required.has(key) }));
  }

  #member(key: string, schema: unknown): readonly GrammarSymbol[] {
    const { before, middle, after } = this.#style;
    const sequence = this.#sequence().literal(before).literal(key).literal(middle);
    this.#value(schema, sequence);
    return sequence.literal(after).symbols;
  }

  #value(schema: unknown, sequence: Sequence): void {
    const { strings, others, after } = this.#style;
    const { regexes } = this.#builder;
    const whole = typeof schema === 'object' ? { ...this.#definitions(), ...schema } : schema;
    const isString = typeof schema === 'object' && schema !== null && 'type' in schema && schema.type === 'string';
    const end = strings === 'raw' ? after.trim() : '';
    if (isString && strings === 'raw') {
      sequence.regex(stringRegex(whole, new RawText(regexes, end)));
      return;
    }
    const notation = isString ? strings : others;
    const text = notation === 'python' ? new PythonText(regexes, end) : new JsonBefore(regexes, end);
    sequence.symbol(addJsonSchema(whole, this.#builder, text));
  }

  #definitions(): Schema {
    const { $defs, definitions } = this.#schema;
    return { ...($defs !== undefined && { $defs }), ...(definitions !== undefined && { definitions }) };
  }
}

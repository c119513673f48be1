import type { GrammarSymbol } from '../constrain/grammar.ts';
import type { GrammarBuilder } from '../constrain/grammar-builder.ts';
import { addJsonSchema, stringRegex } from '../constrain/json-schema/index.ts';
import { RealmError } from '../errors.ts';
import type { Notations } from './notations.ts';
import { possible } from './possible.ts';
import { isAnything, optionsOf, typesOf, writtenTypes } from './schema-options.ts';
import type { Sequence } from './sequence.ts';
import { anyBut } from './text-regexes.ts';
import { KEY, type TaggedArguments } from './types.ts';

type Schema = Readonly<Record<string, unknown>>;
type Symbols = readonly GrammarSymbol[];

/** Lists that must have more items than this are refused. */
const mostItems = 256;
/** Keywords of lists that are kept, or that demand nothing. */
const known = new Set([
  ...['type', 'items', 'minItems', 'maxItems', '$defs', 'definitions'],
  ...['$schema', '$id', '$comment', 'title', 'description', 'default', 'examples'],
]);

const isFree = ({ properties, required, additionalProperties }: Schema): boolean =>
  properties === undefined && required === undefined && additionalProperties !== false;

/** Of keys that no schema names: letters, digits, `_`, `-` and `.`. */
const keyBytes: readonly (readonly [number, number])[] = [
  [0x2d, 0x2e],
  [0x30, 0x39],
  [0x41, 0x5a],
  [0x5f, 0x5f],
  [0x61, 0x7a],
];

/** Values whose objects and lists are elements in elements. */
export class NestedGrammar {
  readonly #style: TaggedArguments;
  readonly #items: string;
  readonly #root: Schema;
  readonly #sequence: () => Sequence;
  readonly #builder: GrammarBuilder;
  readonly #notations: Notations;
  readonly #members: (schema: Schema, self: NestedGrammar) => Symbols;
  /** Schemas may refer to themselves. */
  readonly #values = new Map<unknown, ReturnType<GrammarBuilder['declare']>>();

  constructor(
    style: TaggedArguments,
    items: string,
    root: Schema,
    sequence: Sequence,
    builder: GrammarBuilder,
    notations: Notations,
    members: (schema: Schema, self: NestedGrammar) => Symbols,
  ) {
    this.#style = style;
    this.#items = items;
    this.#root = root;
    this.#sequence = () => sequence.another();
    this.#builder = builder;
    this.#notations = notations;
    this.#members = members;
  }

  element(key: string, schema: unknown): Symbols {
    const { before, middle, after } = this.#style;
    const opened = this.#sequence().literal(before).literal(key).literal(String(middle));
    return opened.symbol(this.#value(schema)).literal(after.replace(KEY, key)).symbols;
  }

  #value(schema: unknown): GrammarSymbol {
    let rule = this.#values.get(schema);
    if (rule === undefined) {
      rule = this.#builder.declare('value');
      this.#values.set(schema, rule);
      this.#builder.define(rule, this.#alternatives(schema));
    }
    return this.#builder.use(rule);
  }

  #alternatives(schema: unknown): Symbols[] {
    const options = schema === true ? [{}] : optionsOf(schema, this.#root);
    const types = writtenTypes(options);
    if (types.size === 0)
      return options.flatMap(option => (isAnything(option) ? this.#anything() : [this.#json(option)]));
    const areTexts = types.size === 1 && types.has('string');
    return options.flatMap(option =>
      (typesOf(option) ?? [])
        .filter(type => types.has(type))
        .flatMap(type => possible(() => this.#typed({ ...option, type }, areTexts))),
    );
  }

  #typed(schema: Schema & { readonly type: string }, areTexts: boolean): Symbols {
    if (schema.type === 'object') return isFree(schema) ? this.#freeMembers(schema) : this.#members(schema, this);
    if (schema.type === 'array') return this.#list(schema);
    if (!areTexts) return this.#json(schema);
    const { before } = this.#style;
    return this.#sequence().regex(stringRegex(this.#whole(schema), this.#notations.of('raw', before))).symbols;
  }

  /** Members of any keys. */
  #freeMembers({ additionalProperties = true }: Schema): Symbols {
    const { regexes } = this.#builder;
    const { before, middle, after } = this.#style;
    const [end = '', behind = ''] = after.split(KEY);
    const key = regexes.repeat(regexes.bytes(keyBytes), 1, 64);
    const member = this.#sequence().literal(before).regex(key).literal(String(middle));
    member.symbol(this.#value(additionalProperties)).literal(end).regex(key).literal(behind);
    return this.#more(this.#builder.rule('member', [member.symbols]), undefined);
  }

  /** What is read as whatever it looks like. */
  #anything(): Symbols[] {
    return [this.#sequence().regex(anyBut(this.#style.before, this.#builder.regexes)).symbols, this.#freeMembers({})];
  }

  #json(schema: Schema): Symbols {
    const text = this.#notations.of('json', this.#style.before);
    return [addJsonSchema(this.#whole(schema), this.#builder, text)];
  }

  #whole(schema: Schema): Schema {
    const { $defs, definitions } = this.#root;
    return { ...($defs !== undefined && { $defs }), ...(definitions !== undefined && { definitions }), ...schema };
  }

  #list(schema: Schema): Symbols {
    const { items = true, minItems = 0, maxItems, enum: values } = schema;
    if (Array.isArray(values) && !values.some(Array.isArray))
      throw new RealmError('grammar_invalid', 'the schema matches nothing: none of its values is a list');
    const other = Object.keys(schema).find(keyword => !known.has(keyword));
    const most = Math.max(Number(minItems), Number(maxItems ?? 0));
    if (other !== undefined || most > mostItems) {
      const what = other ?? 'minItems or maxItems';
      throw new RealmError(
        'schema_unsupported',
        `${what} cannot be enforced for lists that the model writes as elements`,
        {
          param: `/${what}`,
        },
      );
    }
    const item = this.#builder.rule('item', [this.element(this.#items, items)]);
    const least = Array.from({ length: Number(minItems) }, () => item);
    return [...least, ...this.#more(item, maxItems === undefined ? undefined : Number(maxItems) - least.length)];
  }

  /** So many more items at most. */
  #more(item: GrammarSymbol, most: number | undefined): Symbols {
    if (most === undefined) {
      const more = this.#builder.declare('items');
      this.#builder.define(more, [[], [item, this.#builder.use(more)]]);
      return [this.#builder.use(more)];
    }
    let symbols: Symbols = [];
    for (let count = 0; count < most; count++) symbols = [this.#builder.rule('items', [[], [item, ...symbols]])];
    return symbols;
  }
}

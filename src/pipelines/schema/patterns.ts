import { matcher } from '../matcher.ts';
import type { JsonSchema } from './types.ts';

/** Characters of a text that is held to a pattern. */
const maxText = 100_000;

type Keywords = { readonly [keyword: string]: unknown };

/** What is wrong with a value, and where in it. */
export interface Misfit {
  readonly problem: string;
  readonly path: readonly PropertyKey[];
}

/**
 * The patterns of a schema, apart from the rest: JavaScript's own take for ever with some texts. They stand where every
 * value must fit, not in one of several choices.
 */
export class Patterns {
  /** The schema without them. */
  readonly rest: JsonSchema;
  readonly #schema: JsonSchema;
  readonly #matchers = new Map<string, (text: string) => boolean>();

  /** Throws for what is no pattern. */
  constructor(schema: JsonSchema) {
    this.rest = this.#without(schema);
    this.#schema = schema;
  }

  check(value: unknown): Misfit | undefined {
    return this.#matchers.size === 0 ? undefined : this.#check(this.#schema, value, []);
  }

  #without(schema: JsonSchema): JsonSchema {
    if (typeof schema === 'boolean') return schema;
    const { pattern, ...rest } = schema as Keywords;
    if (typeof pattern === 'string') this.#matchers.set(pattern, matcher(pattern));
    return { ...rest, ...each(schema, inner => this.#without(inner)) };
  }

  #check(schema: JsonSchema, value: unknown, path: readonly PropertyKey[]): Misfit | undefined {
    if (typeof schema === 'boolean') return undefined;
    if (typeof value === 'string') {
      const { pattern } = schema;
      const matches = typeof pattern === 'string' ? this.#matchers.get(pattern) : undefined;
      if (!matches || (value.length <= maxText && matches(value))) return undefined;
      const what =
        value.length > maxText ? `is longer than ${maxText} characters, as a pattern wants it` : 'does not match';
      return { problem: `the text ${what}: ${pattern}`, path };
    }
    if (typeof value !== 'object' || value === null) return undefined;
    for (const [key, one] of Object.entries(value)) {
      const place = Array.isArray(value) ? Number(key) : key;
      const found = this.#check(innerOf(schema, place), one, [...path, place]);
      if (found) return found;
    }
    return undefined;
  }
}

/** The schema of what stands at a place of a value. */
function innerOf(schema: Keywords, place: string | number): JsonSchema {
  const { properties, additionalProperties, items, prefixItems } = schema;
  const first = typeof place === 'number' ? prefixItems : properties;
  if (typeof first === 'object' && first !== null && Object.hasOwn(first, place)) return (first as never)[place];
  return ((typeof place === 'number' ? items : additionalProperties) ?? true) as JsonSchema;
}

/** The keywords that hold schemas of parts which every value has, changed. */
function each(schema: Keywords, change: (inner: JsonSchema) => JsonSchema): Keywords {
  const changed: Record<string, unknown> = {};
  const { properties, items, additionalProperties, prefixItems } = schema;
  if (items !== undefined) changed.items = change(items as JsonSchema);
  if (additionalProperties !== undefined) changed.additionalProperties = change(additionalProperties as JsonSchema);
  if (Array.isArray(prefixItems)) changed.prefixItems = prefixItems.map(change);
  if (typeof properties === 'object' && properties !== null) {
    const named = Object.entries(properties).map(([key, inner]) => [key, change(inner as JsonSchema)]);
    changed.properties = Object.fromEntries(named);
  }
  return changed;
}

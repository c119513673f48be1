import { z } from 'zod';
import type { JsonSchema } from './types.ts';

type ZodSchema = Parameters<typeof z.fromJSONSchema>[0];

/** Says whether values are what a schema wants. */
export class Validator {
  readonly schema: JsonSchema;
  readonly #type: z.ZodType;

  /** Throws for a schema that cannot be used. */
  constructor(schema: JsonSchema) {
    this.schema = schema;
    this.#type = z.fromJSONSchema(schema as ZodSchema);
  }

  /** The value with the defaults that the schema has for what is not there, or what is wrong with it, and where. */
  check(value: unknown): { readonly value: unknown } | { readonly problem: string; readonly path: string } {
    const found = this.#type.safeParse(value);
    if (found.success) return { value: found.data };
    const [issue] = found.error.issues;
    return { problem: issue?.message ?? 'it does not fit', path: pathText(issue?.path ?? []) };
  }
}

export const anything = new Validator(true);

/** `a.b[0]`. */
function pathText(path: readonly PropertyKey[]): string {
  return path.map((key, i) => (typeof key === 'number' ? `[${key}]` : `${i > 0 ? '.' : ''}${String(key)}`)).join('');
}

import { z } from 'zod';
import { pipelineLimits } from '../limits.ts';
import { Patterns } from './patterns.ts';
import type { JsonSchema } from './types.ts';

type ZodSchema = Parameters<typeof z.fromJSONSchema>[0];

/** Says whether values are what a schema wants. */
export class Validator {
  readonly schema: JsonSchema;
  readonly #type: z.ZodType;
  readonly #patterns: Patterns;

  /** Throws for a schema that cannot be used. */
  constructor(schema: JsonSchema) {
    this.schema = schema;
    this.#patterns = new Patterns(schema);
    this.#type = z.fromJSONSchema(this.#patterns.rest as ZodSchema);
    // One that stands for itself has no end.
    this.#type.safeParse(null);
  }

  /** The value with the defaults that the schema has for what is not there, or what is wrong with it, and where. */
  check(value: unknown): { readonly value: unknown } | { readonly problem: string; readonly path: string } {
    if (nestsTooDeep(value)) return { problem: `it nests deeper than ${pipelineLimits.values} levels`, path: '' };
    const found = this.#type.safeParse(value);
    if (found.success) {
      const misfit = this.#patterns.check(found.data);
      return misfit ? { ...misfit, path: pathText(misfit.path) } : { value: found.data };
    }
    const [issue] = found.error.issues;
    return { problem: issue?.message ?? 'it does not fit', path: pathText(issue?.path ?? []) };
  }
}

/** Without recursion, which is what such values would harm. */
function nestsTooDeep(value: unknown): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > pipelineLimits.values) return true;
    level = level.flatMap(each => (typeof each === 'object' && each !== null ? Object.values(each) : []));
  }
  return false;
}

export const anything = new Validator(true);

/** `a.b[0]`. */
function pathText(path: readonly PropertyKey[]): string {
  return path.map((key, i) => (typeof key === 'number' ? `[${key}]` : `${i > 0 ? '.' : ''}${String(key)}`)).join('');
}

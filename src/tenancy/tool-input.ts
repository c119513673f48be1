import { z } from 'zod';
import { check, issueText } from './issues.ts';

/** What a tool is given, held to its JSON Schema. */

const compiled = new WeakMap<object, z.ZodType>();

/** Throws what is wrong with the schema. */
export function inputType(schema: object): z.ZodType {
  const known = compiled.get(schema);
  if (known) return known;
  const type = z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]);
  // One that stands for itself has no end.
  type.safeParse(null);
  compiled.set(schema, type);
  return type;
}

/** What is wrong with an input; undefined: nothing. */
export function inputProblem(schema: object, input: unknown): string | undefined {
  const checked = check(inputType(schema), input);
  return 'issues' in checked ? checked.issues.slice(0, 3).map(issueText).join('; ') : undefined;
}

import type { z } from 'zod';
import { RealmError } from '../errors.ts';

/** What options say, as the API's bodies are validated. Throws `usage`. */
export async function validated<S extends z.ZodType>(schema: S, value: object): Promise<z.output<S>> {
  const { check, issueText } = await import('../tenancy/issues.ts');
  const result = check(schema, value);
  if ('value' in result) return result.value as z.output<S>;
  throw new RealmError('usage', `${result.issues.map(issueText).join('; ')}.`, { param: result.issues[0]?.path });
}

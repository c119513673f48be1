import { RealmError } from '../errors.ts';
import type { AppContext } from './route.ts';

/** A whole number in a request's query. Throws `invalid_request`. */
export function numberInQuery(
  context: AppContext,
  name: string,
  { least, most, absent }: { least: number; most: number; absent: number },
): number {
  const text = context.req.query(name);
  if (text === undefined) return absent;
  const value = Number(text);
  if (/^\d{1,16}$/.test(text) && value >= least && value <= most) return value;
  throw new RealmError('invalid_request', `${name}: must be an integer from ${least} to ${most}`, { param: name });
}

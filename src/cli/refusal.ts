import { type ErrorCode, errorCodes, RealmError } from '../errors.ts';

/** What a server said instead of what it was asked for: its code and its words, as far as there are any. */
export function refusal(said: unknown, otherwise: string): RealmError {
  const { code, message } = (said as { error?: { code?: string; message?: string } }).error ?? {};
  const known = code !== undefined && code in errorCodes ? (code as ErrorCode) : 'internal_error';
  return new RealmError(known, message ?? otherwise);
}

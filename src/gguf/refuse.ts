import { type ErrorCode, RealmError } from '../errors.ts';
import { escapeText } from './escape.ts';

/** Throws a RealmError about the file `name`. What `message` repeats from the file must be escaped already. */
export function refuse(code: ErrorCode, name: string, message: string, cause?: unknown): never {
  throw new RealmError(code, `${escapeText(name)}: ${message}`, { cause });
}

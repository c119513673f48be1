import { RealmError } from '../errors.ts';

/**
 * Milliseconds of computing that one source may take to be compiled. Limits of size come first: they are the same on
 * every machine, and end all that would take without end. Whoever has a thread for it ends it there; nobody else looks at a
 * clock meanwhile.
 */
export const maxCompileMs = 250;

/** The error of one that takes longer. */
export function compilesTooLong(): RealmError {
  const message = `the schema or grammar takes longer than ${maxCompileMs} ms to compile: make it simpler`;
  return new RealmError('grammar_limit', message);
}

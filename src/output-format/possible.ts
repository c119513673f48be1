import { asRealmError } from '../errors.ts';

/** What is made, or nothing where no value fits its schema. */
export function possible<T>(make: () => T): T[] {
  try {
    return [make()];
  } catch (error) {
    if (asRealmError(error).code === 'grammar_invalid') return [];
    throw error;
  }
}

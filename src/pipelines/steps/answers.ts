import { RealmError } from '../../errors.ts';
import type { Decoding } from '../schema/decoding.ts';

/** The value of a model's or a program's text. Throws `output_invalid`. */
export function readText(text: string, decoding: Decoding): unknown {
  try {
    return decoding.read(text);
  } catch (error) {
    const cut = text.length > 80 ? `${text.slice(0, 80)}…` : text;
    throw new RealmError('output_invalid', `the answer is no JSON (${(error as Error).message}): ${cut}`, {
      cause: error,
    });
  }
}

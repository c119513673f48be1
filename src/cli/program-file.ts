import { readFile } from 'node:fs/promises';
import { RealmError } from '../errors.ts';

/** The file's bytes. Throws `usage`. */
export async function readModuleFile(file: string): Promise<Uint8Array> {
  return readFile(file).catch(cause => {
    throw new RealmError('usage', `${file} cannot be read: ${cause.code ?? cause.message}.`, { cause });
  });
}

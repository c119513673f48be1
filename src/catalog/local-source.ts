import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { asRealmError, type RealmError } from '../errors.ts';
import { checkPin } from './pin.ts';
import { rememberedPin, rememberPin, type Store } from './store.ts';
import type { CatalogEntry } from './types.ts';
import { sha256File } from './verify.ts';

/** The folder's copy of the entry's file, or why it cannot be used (`undefined`: it has none). */
export type LocalResult = { path: string; verified: boolean } | { problem: RealmError } | undefined;

/**
 * Looks for the entry's file in one folder. A pinned file is hashed once and then trusted while its size and time of
 * modification stay the same. A file of an entry without pin is taken as it is: the user put it there, or an earlier
 * download checked it.
 */
export async function findInFolder(store: Store, folder: string, entry: CatalogEntry): Promise<LocalResult> {
  const path = join(folder, entry.file);
  const found = await stat(path).catch(() => undefined);
  if (!found?.isFile()) return undefined;
  try {
    const known = await rememberedPin(store, path);
    if (!entry.pin) return { path, verified: known !== undefined };
    checkPin(
      path,
      known ?? { size: found.size, sha256: await hashIfSized(path, found.size, entry.pin.size) },
      entry.pin,
    );
    if (!known) await rememberPin(store, path, entry.pin);
    return { path, verified: true };
  } catch (error) {
    return { problem: asRealmError(error) };
  }
}

/** A file of the wrong size need not be read to be refused. */
async function hashIfSized(path: string, size: number, expected: number): Promise<string> {
  return size === expected ? sha256File(path) : '';
}

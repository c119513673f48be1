import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { asRealmError, type RealmError } from '../errors.ts';
import { checkPin } from './pin.ts';
import { downloadedPin, rememberedPin, rememberPin, type Store } from './store.ts';
import type { Pin, Wanted } from './types.ts';
import { sha256File } from './verify.ts';

/** The folder's copy of the entry's file, or why it cannot be used (`undefined`: it has none). */
export type LocalResult = { path: string; verified: boolean } | { problem: RealmError } | undefined;

/**
 * Looks for the entry's file in one folder. A pinned file is hashed once and then trusted while its size and time of
 * modification stay the same; what was downloaded is pinned by what the hub said then. A file of an entry without pin that the
 * user put there is taken as it is.
 */
export async function findInFolder(store: Store, folder: string, entry: Wanted): Promise<LocalResult> {
  const path = join(folder, entry.file);
  const found = await stat(path).catch(() => undefined);
  if (!found?.isFile()) return undefined;
  try {
    const pin = entry.pin ?? (await downloadedPin(store, path));
    if (pin) await checkOnce(store, path, pin);
    return { path, verified: pin !== undefined };
  } catch (error) {
    return { problem: asRealmError(error) };
  }
}

/** Hashes the file, unless that was done and it has not changed since. Throws `checksum_mismatch`. */
export async function checkOnce(store: Store, path: string, pin: Pin): Promise<void> {
  const known = await rememberedPin(store, path);
  const { size } = await stat(path);
  // A file of the wrong size need not be read to be refused.
  checkPin(path, known ?? { size, sha256: size === pin.size ? await sha256File(path) : '' }, pin);
  if (!known) await rememberPin(store, path, pin);
}

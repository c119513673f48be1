import { readdir, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { lock } from 'proper-lockfile';
import { RealmError } from '../errors.ts';
import { forgetPin, type Store } from './store.ts';

/** The first local folder's file of that name, unchecked; for lists. */
export async function installedFile(store: Store, file: string): Promise<string | undefined> {
  for (const folder of store.localFolders) {
    const path = join(folder, file);
    const found = await stat(path).catch(() => undefined);
    if (found?.isFile()) return path;
  }
  return undefined;
}

/** Removes the store's copy of `file` and unfinished parts of it; the paths that were removed. Throws `store_locked`. */
export async function removeDownloads(store: Store, file: string): Promise<string[]> {
  const path = join(store.folder, file);
  const [folder, own] = [dirname(path), basename(path)];
  const names = await readdir(folder).catch(() => []);
  const ours = names.filter(name => name === own || (name.startsWith(`${own}.`) && name.endsWith('.part')));
  if (ours.length === 0) return [];
  const release = await lock(path, { realpath: false, lockfilePath: `${path}.lock` }).catch(cause => {
    if (cause.code !== 'ELOCKED') throw cause;
    throw new RealmError('store_locked', `${path} is being downloaded; end that first.`, { cause });
  });
  try {
    for (const name of ours) await rm(join(folder, name), { force: true });
    await forgetPin(store, path);
  } finally {
    await release();
  }
  return ours.map(name => join(folder, name));
}

import { realpath } from 'node:fs/promises';
import { isAbsolute, relative, resolve, sep } from 'node:path';
import { RealmError } from '../errors.ts';

/**
 * The file that `path` really is, symbolic links resolved, if it lies in one of `folders` (undefined: anywhere). Throws
 * `path_not_allowed`, also for what does not exist elsewhere: nobody learns what lies outside.
 */
export async function allowedFile(path: string, folders: readonly string[] | undefined): Promise<string> {
  const asked = resolve(path);
  if (folders === undefined) return asked;
  const real = await realpath(asked).catch(() => asked);
  for (const folder of folders) {
    // A folder that is not there has no files.
    if (lies(real, await realpath(folder).catch(() => folder))) return real;
  }
  const message = `${path} lies outside of the folders that models and adapters may come from (server.folders in realm.yaml)`;
  throw new RealmError('path_not_allowed', message);
}

function lies(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileName, nameOfFile } from '../tenancy/file-name.ts';

/** In the folder of all sessions: a folder for each tenant, a file in it for each session, and a seal that no tenant's name can give. */
const sealFile = '.seal';
const sealBytes = 32;
const ending = '.session';

export function tenantFolder(folder: string, tenant: string): string {
  return join(folder, fileName(tenant));
}

export function sessionFile(folder: string, tenant: string, id: string): string {
  return join(tenantFolder(folder, tenant), fileName(id) + ending);
}

/** The session in a file of a tenant's folder; undefined: the file is something else. */
export function sessionIn(file: string): string | undefined {
  return file.endsWith(ending) ? nameOfFile(file.slice(0, -ending.length)) : undefined;
}

/**
 * Makes the folder ready and gives the key of its seals: made once, and kept beside the sessions, so that files which were changed,
 * or come from elsewhere, do not fit it.
 */
export async function openSessionFolder(folder: string): Promise<Uint8Array> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await moveOld(folder);
  const path = join(folder, sealFile);
  // Another server on the same folder may have made it first: then that one counts.
  await readFile(path).catch(() =>
    writeFile(path, randomBytes(sealBytes), { flag: 'wx', mode: 0o600 }).catch(unless('EEXIST')),
  );
  const seal = await readFile(path);
  if (seal.length === sealBytes) return seal;
  throw new Error(`${path} has ${seal.length} bytes and not ${sealBytes}`);
}

/** In older stores the seal was the file `key`, and names stood for themselves. */
async function moveOld(folder: string): Promise<void> {
  const key = join(folder, 'key');
  const isFile = await stat(key).then(
    found => found.isFile() && found.size === sealBytes,
    () => false,
  );
  if (isFile) await rename(key, join(folder, sealFile)).catch(unless('ENOENT'));
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const tenant = join(folder, await moveOldName(folder, entry.name, ''));
    for (const file of await readdir(tenant)) if (file.endsWith(ending)) await moveOldName(tenant, file, ending);
  }
}

/** What an old name could be and a new one never is, has the new one from now on. */
async function moveOldName(folder: string, file: string, end: string): Promise<string> {
  const old = file.slice(0, file.length - end.length);
  const now = fileName(old) + end;
  if (now === file || !/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(old)) return file;
  await rename(join(folder, file), join(folder, now)).catch(unless('ENOENT', 'ENOTEMPTY', 'EEXIST'));
  return now;
}

function unless(...codes: string[]): (error: NodeJS.ErrnoException) => void {
  return error => {
    if (!codes.includes(error.code ?? '')) throw error;
  };
}

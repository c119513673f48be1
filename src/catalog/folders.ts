import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, realpath, rename, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { RealmError } from '../errors.ts';

const record = (store: string): string => join(store, 'folders.json');

/** Folders of GGUF files that were added to the store in the folder `store`, absolute. */
export function addedFolders(store: string): string[] {
  try {
    const value: unknown = JSON.parse(readFileSync(record(store), 'utf8'));
    return Array.isArray(value) ? value.filter(each => typeof each === 'string') : [];
  } catch {
    return []; // None was added, or the record is damaged: adding one writes it anew.
  }
}

/** Adds a folder, whose files then have names; returns its whole path. Throws `model_file_missing` where it is none. */
export async function addFolder(store: string, folder: string): Promise<string> {
  const path = await realpath(folder).catch(() => resolve(folder));
  const found = await stat(path).catch(() => undefined);
  if (!found?.isDirectory()) throw new RealmError('model_file_missing', `${path} is no folder of GGUF files.`);
  await write(store, [...addedFolders(store).filter(each => each !== path), path]);
  return path;
}

/** Takes a folder away that was added; its files stay. False: it was not. */
export async function removeFolder(store: string, folder: string): Promise<boolean> {
  const same = [resolve(folder), await realpath(folder).catch(() => '')];
  const others = addedFolders(store).filter(each => !same.includes(each));
  if (others.length === addedFolders(store).length) return false;
  await write(store, others);
  return true;
}

async function write(store: string, folders: readonly string[]): Promise<void> {
  await mkdir(store, { recursive: true });
  const temporary = `${record(store)}.${randomUUID()}`;
  await writeFile(temporary, `${JSON.stringify(folders, null, 2)}\n`);
  await rename(temporary, record(store));
}

import { digests } from '../../platform/browser/digests.ts';
import { namesIn, newFile, unlessMissing } from '../../platform/browser/opfs.ts';
import { hex } from '../../platform/hex.ts';
import type { FileVersion } from '../part.ts';

/** A model in the store: a folder with the pieces of its files, and this as `entry.json`. */
export interface Entry {
  /** Of its files. */
  readonly names: readonly string[];
  /** URLs of its first file that are known to deliver it; none of a file that was picked. */
  readonly urls: readonly string[];
  readonly files: readonly FileState[];
  /** `sha256:…`, once it is whole and checked: {@link idOf}. */
  readonly id?: string | undefined;
}

/** How far one file is. */
export interface FileState {
  readonly version: FileVersion;
  /** Bytes of each piece. What is not listed is not there. */
  readonly pieces: readonly number[];
  /** Of all pieces together: where SHA-256 is, and what it was at the end. */
  readonly hash: readonly number[];
  readonly sha256?: string | undefined;
}

/** An entry and where it lies. */
export interface Found {
  /** Name of its folder. */
  readonly key: string;
  readonly folder: FileSystemDirectoryHandle;
  readonly entry: Entry;
}

const recordName = 'entry.json';

export const bytesOf = (file: FileState | undefined): number => file?.pieces.reduce((sum, each) => sum + each, 0) ?? 0;

/** What a model with these checksums is called: the checksum itself where it is one file, else that of their list. */
export function idOf(checksums: readonly string[]): string {
  if (checksums.length === 1) return `sha256:${checksums[0]}`;
  return `sha256:${sha256Text(checksums.join('\n'))}`;
}

export function sha256Text(text: string): string {
  const digest = digests.sha256();
  digest.update(text);
  return hex(digest.digest());
}

export async function saveEntry(folder: FileSystemDirectoryHandle, entry: Entry): Promise<void> {
  const file = await newFile(folder, recordName);
  try {
    await file.write(new TextEncoder().encode(JSON.stringify(entry)));
  } catch (error) {
    await file.abort();
    throw error;
  }
  await file.close();
}

export async function entryIn(models: FileSystemDirectoryHandle, key: string): Promise<Found | undefined> {
  const folder = await models.getDirectoryHandle(key).catch(unlessMissing);
  const file = await folder?.getFileHandle(recordName).catch(unlessMissing);
  if (!folder || !file) return undefined;
  try {
    const entry = JSON.parse(await (await file.getFile()).text());
    return isEntry(entry) ? { key, folder, entry } : undefined;
  } catch {
    return undefined; // Cut by a browser that ended: what belongs to it is written anew.
  }
}

/** Anything else is another version's. */
function isEntry(entry: Partial<Entry> | null): entry is Entry {
  return [entry?.names, entry?.urls, entry?.files].every(Array.isArray);
}

export async function allEntries(models: FileSystemDirectoryHandle): Promise<Found[]> {
  const found: Found[] = [];
  for await (const key of namesIn(models)) {
    const each = await entryIn(models, key);
    if (each) found.push(each);
  }
  return found;
}

import { removeIn } from '../../platform/browser/opfs.ts';
import type { Part } from '../part.ts';
import { type Entry, entryIn, type Found, saveEntry, sha256Text } from './entry.ts';
import { filesOf, prefixOf } from './kept.ts';
import { opfsPart } from './opfs-part.ts';

/** What is kept: the URLs of a model's files, or the files that the user picked, the first one first. */
export type Sources = { readonly urls: readonly string[] } | { readonly blobs: readonly Blob[] };

/** An entry of the store whose lock is held: it may be changed. */
export class OpenEntry implements Found {
  readonly key: string;
  readonly folder: FileSystemDirectoryHandle;
  entry: Entry;

  constructor(key: string, folder: FileSystemDirectoryHandle, entry: Entry) {
    this.key = key;
    this.folder = folder;
    this.entry = entry;
  }

  part(file: number): Part {
    return opfsPart({
      folder: this.folder,
      prefix: prefixOf(file),
      read: () => this.entry.files[file],
      save: state => this.save({ files: this.entry.files.slice(0, file).concat(state ?? []) }),
    });
  }

  async save(changes: Partial<Entry>): Promise<void> {
    this.entry = { ...this.entry, ...changes };
    await saveEntry(this.folder, this.entry);
  }
}

/** The same place at the next visit; what was picked is known by its name and size until it has been hashed. */
export function keyOf(sources: Sources): string {
  const what = 'urls' in sources ? sources.urls : sources.blobs.map((blob, i) => `${nameOfBlob(blob, i)} ${blob.size}`);
  return sha256Text(what.join('\n')).slice(0, 32);
}

/** What an earlier visit left of a download, if all that it says is there is; else a new entry. */
export async function openEntry(models: FileSystemDirectoryHandle, key: string, sources: Sources): Promise<OpenEntry> {
  const found = await entryIn(models, key);
  const goesOn = found && 'urls' in sources && found.entry.id === undefined && (await filesOf(found));
  if (goesOn) return new OpenEntry(key, found.folder, found.entry);
  await removeIn(models, key);
  const folder = await models.getDirectoryHandle(key, { create: true });
  return new OpenEntry(key, folder, newEntry(sources));
}

function newEntry(sources: Sources): Entry {
  if ('blobs' in sources) return { names: sources.blobs.map(nameOfBlob), urls: [], files: [] };
  return { names: sources.urls.map(nameOfUrl), urls: sources.urls.slice(0, 1), files: [] };
}

const nameOfUrl = (url: string): string => decodeURI(new URL(url).pathname).replace(/^.*\//, '') || 'model';
const nameOfBlob = (blob: Blob, i: number): string => ('name' in blob ? String(blob.name) : `model-${i + 1}`);

import { RealmError } from '../../errors.ts';
import { removeIn, unlessMissing } from '../../platform/browser/opfs.ts';
import { allEntries, bytesOf, type Entry, type Found } from './entry.ts';
import { modelsFolder } from './folder.ts';

/** A model that the browser keeps for pages of this origin. */
export interface CachedModel {
  /** `sha256:…`, which {@link loadModel} opens without a network. Of a download that is not finished: any name, to remove it by. */
  readonly id: string;
  /** The name of its first file. */
  readonly name: string;
  /** Where it came from; absent: the user picked it. */
  readonly url: string | undefined;
  /** Bytes that are here. */
  readonly done: number;
  /** Bytes of all of it, where the server said so. */
  readonly total: number | undefined;
  /** It is whole and checked. */
  readonly complete: boolean;
}

/** What to read: the model's name and its files, whose bytes stay on the disk. */
export interface KeptModel {
  readonly name: string;
  readonly files: readonly File[];
}

/** The models that the browser keeps for pages of this origin, unfinished downloads too; none where it can keep none. */
export async function cachedModels(): Promise<CachedModel[]> {
  const models = await modelsFolder().catch(() => undefined);
  return models ? (await allEntries(models)).map(describe) : [];
}

export function describe({ key, entry }: Found): CachedModel {
  const { id, names, urls, files } = entry;
  const done = files.reduce((sum, file) => sum + bytesOf(file), 0);
  const only = names.length === 1 ? files[0]?.version.size : undefined;
  const total = id === undefined ? only : done;
  return { id: id ?? key, name: nameIn(entry), url: urls[0], done, total, complete: id !== undefined };
}

/**
 * Removes a model that the browser keeps, or what is there of it; says whether there was one. One that is loaded may be
 * removed: it stays loaded.
 *
 * @param model Its id, or a URL that it came from.
 * @throws RealmError `store_locked` while it is downloaded, `storage_failed` where the browser keeps nothing.
 */
export async function removeCachedModel(model: string | URL): Promise<boolean> {
  const models = await modelsFolder();
  const wanted = String(model);
  const found = (await allEntries(models)).filter(
    ({ key, entry }) => key === wanted || entry.id === wanted || entry.urls.includes(wanted),
  );
  for (const { key, entry } of found) {
    const removed = await navigator.locks.request(lockName(key), { ifAvailable: true }, async lock => {
      if (lock) await removeIn(models, key);
      return lock !== null;
    });
    if (!removed) throw new RealmError('store_locked', `${nameIn(entry)} is being downloaded; end that first`);
  }
  return found.length > 0;
}

/** Whoever changes an entry holds this, in whichever tab; it is free once that tab is gone. */
export const lockName = (key: string): string => `realm-model:${key}`;

/** The model with that id. Throws `model_file_missing`. */
export async function openKept(id: string): Promise<KeptModel> {
  const models = await modelsFolder();
  for (const found of await allEntries(models)) {
    const kept = found.entry.id === id && (await keptModel(found));
    if (kept) return kept;
  }
  throw new RealmError('model_file_missing', `${id}: the browser does not keep it; load it from its URL, with cache`);
}

export async function keptModel(found: Found): Promise<KeptModel | undefined> {
  const files = await filesOf(found);
  return files && { name: found.entry.urls[0] ?? nameIn(found.entry), files };
}

/** Its files; undefined where some of it is not there, as browsers and their users may remove things. */
export async function filesOf({ folder, entry }: Found): Promise<File[] | undefined> {
  const files: File[] = [];
  for (const [i, { pieces }] of entry.files.entries()) {
    const found = await Promise.all(pieces.map((_, piece) => fileIn(folder, pieceName(i, piece))));
    const parts = found.filter(each => each !== undefined);
    if (parts.length < pieces.length || parts.some(({ size }, piece) => size !== pieces[piece])) return undefined;
    files.push(new File(parts, entry.names[i] ?? 'model'));
  }
  return files;
}

async function fileIn(folder: FileSystemDirectoryHandle, name: string): Promise<File | undefined> {
  const handle = await folder.getFileHandle(name).catch(unlessMissing);
  return handle?.getFile().catch(unlessMissing);
}

export const prefixOf = (file: number): string => `${file}.`;
const pieceName = (file: number, piece: number): string => `${prefixOf(file)}${piece}`;

const nameIn = ({ names }: Entry): string => names[0] ?? 'model';

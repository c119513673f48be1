import { RealmError } from '../../errors.ts';
import { openGguf } from '../../gguf/open.ts';
import { namesIn, removeIn } from '../../platform/browser/opfs.ts';
import { allEntries, bytesOf, entryIn, idOf, saveEntry } from './entry.ts';
import { copy, download, type FillOptions } from './fill.ts';
import { describe, filesOf, type KeptModel, keptModel, lockName } from './kept.ts';
import { keyOf, type OpenEntry, openEntry, type Sources } from './open-entry.ts';
import { askToPersist } from './room.ts';

/**
 * The model from the origin's private file system: as it is there, or downloaded (copied, where it was picked), checked
 * and kept. Two tabs at once download once. Throws `download_failed`, `checksum_mismatch`, `storage_failed`, and what is wrong
 * with the file; a download that broke off stays, to be gone on with.
 */
export async function keepModel(
  models: FileSystemDirectoryHandle,
  sources: Sources,
  options: FillOptions,
): Promise<KeptModel> {
  const there = await findKept(models, sources, options);
  if (there) return there;
  askToPersist();
  await removeLitter(models);
  const key = keyOf(sources);
  const signal = options.signal && { signal: options.signal };
  const waiting = reportOther(models, key, options);
  try {
    return await navigator.locks.request(lockName(key), { ...signal }, async () => {
      waiting.end();
      const meanwhile = await findKept(models, sources, options);
      return meanwhile ?? fill(models, await openEntry(models, key, sources), sources, options);
    });
  } finally {
    waiting.end();
  }
}

/** Reports how far another tab is with it, every second until `end`. */
function reportOther(models: FileSystemDirectoryHandle, key: string, { onProgress }: FillOptions): { end(): void } {
  let waits = true;
  const look = async () => {
    const found = await entryIn(models, key).catch(() => undefined);
    if (!waits || !found || found.entry.files.length === 0) return;
    const { done, total } = describe(found);
    onProgress?.(done, total);
  };
  const timer = setInterval(() => void look(), 1000);
  const end = () => {
    waits = false;
    clearInterval(timer);
  };
  return { end };
}

/** By its checksums where they are known, else by its URL; what was picked is the user's word for what it is now. */
async function findKept(
  models: FileSystemDirectoryHandle,
  sources: Sources,
  { sha256 }: FillOptions,
): Promise<KeptModel | undefined> {
  const id = sha256 && idOf(sha256);
  const url = 'urls' in sources ? sources.urls[0] : undefined;
  for (const found of await allEntries(models)) {
    const { entry } = found;
    const wanted = id === undefined ? url !== undefined && entry.urls.includes(url) : entry.id === id;
    const kept = wanted && entry.id !== undefined && (await keptModel(found));
    if (kept) return kept;
  }
  return undefined;
}

/** What nobody can go on with: copies that did not end, and folders whose record cannot be read. */
async function removeLitter(models: FileSystemDirectoryHandle): Promise<void> {
  const isLitter = async (key: string) => {
    const entry = (await entryIn(models, key))?.entry;
    return !entry || (entry.id === undefined && entry.urls.length === 0);
  };
  for (const key of await Array.fromAsync(namesIn(models))) {
    if (!(await isLitter(key))) continue;
    await navigator.locks.request(lockName(key), { ifAvailable: true }, async lock => {
      if (lock && (await isLitter(key))) await removeIn(models, key);
    });
  }
}

async function fill(
  models: FileSystemDirectoryHandle,
  open: OpenEntry,
  sources: Sources,
  options: FillOptions,
): Promise<KeptModel> {
  const filled = 'urls' in sources ? download(open, sources.urls, options) : copy(open, sources.blobs, options);
  await filled.catch(async error => {
    // A copy that did not end is of no use: the user picks the file again.
    const goesOn = 'urls' in sources && open.entry.files.some(file => bytesOf(file) > 0);
    return goesOn ? Promise.reject(error) : removed(models, open, error);
  });
  const files = await filesOf(open);
  if (!files) throw new RealmError('storage_failed', lost);
  // What is no model is not kept: it would be found again at every visit.
  const opened = await openGguf(files).catch(error => removed(models, open, error));
  await opened.close();
  return finish(models, open);
}

async function removed(models: FileSystemDirectoryHandle, open: OpenEntry, error: unknown): Promise<never> {
  await removeIn(models, open.key);
  throw error;
}

/** It gets its id; where the same bytes are there already, they get its URL, and it goes. */
async function finish(models: FileSystemDirectoryHandle, open: OpenEntry): Promise<KeptModel> {
  const id = idOf(open.entry.files.map(({ sha256 }) => sha256 ?? ''));
  const same = (await allEntries(models)).find(({ entry }) => entry.id === id);
  const kept = same && (await keptModel(same));
  if (!same || !kept) {
    await open.save({ id });
    return (await keptModel(open)) ?? removed(models, open, new RealmError('storage_failed', lost));
  }
  const urls = [...new Set([...same.entry.urls, ...open.entry.urls])];
  await saveEntry(same.folder, { ...same.entry, urls });
  await removeIn(models, open.key);
  return kept;
}

const lost = 'the browser lost what was just written; try again';

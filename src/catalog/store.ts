import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { realmHome } from '../platform/node/home.ts';
import { addedFolders } from './folders.ts';
import type { Pin } from './types.ts';

const checkout = fileURLToPath(new URL('../..', import.meta.url));

/** Where models are kept, and what is known of the files that were checked. */
export interface Store {
  /** Downloads land here. */
  readonly folder: string;
  /** Looked through, in this order, before anything is downloaded; the last one is `folder`. */
  readonly localFolders: readonly string[];
}

/**
 * `REALM_HOME` (default `~/.realm`) holds `models/`; `REALM_TEST_MODELS`, the folder `../shared/models` beside the
 * checkout and the folders that were added (`realm models add`) are looked through first.
 */
export function openStore(env: NodeJS.ProcessEnv = process.env): Store {
  const folder = join(realmHome(env), 'models');
  const test = env.REALM_TEST_MODELS ? [resolve(env.REALM_TEST_MODELS)] : [];
  const added = addedFolders(folder);
  return { folder, localFolders: [...test, join(checkout, '..', 'shared', 'models'), ...added, folder] };
}

/** A file that was hashed, and how to see that it has not changed since. */
interface Stamp extends Pin {
  /** Whole milliseconds. */
  readonly mtimeMs: number;
  /** Set for what was downloaded without a pin in the catalog: where the checksum came from. */
  readonly source?: string;
}

const stampFile = (store: Store): string => join(store.folder, 'verified.json');

/** The checksum remembered for `path`, unless the file has changed since (size or time of modification). */
export async function rememberedPin(store: Store, path: string): Promise<Stamp | undefined> {
  const stamp = (await readStamps(store))[resolve(path)];
  if (!stamp) return undefined;
  const { size, mtimeMs } = await stat(path);
  return size === stamp.size && Math.trunc(mtimeMs) === stamp.mtimeMs ? stamp : undefined;
}

/** What was downloaded to `path`, where the catalog has no pin of it: what the hub said then is one from then on. */
export async function downloadedPin(store: Store, path: string): Promise<Pin | undefined> {
  const stamp = (await readStamps(store))[resolve(path)];
  return stamp?.source === undefined ? undefined : { size: stamp.size, sha256: stamp.sha256 };
}

/**
 * Remembers that `path` was hashed. A store that cannot be written only costs another hash at the next start, and so
 * does another process that writes at the same moment.
 */
export async function rememberPin(store: Store, path: string, pin: Pin, source?: string): Promise<void> {
  const mtimeMs = Math.trunc((await stat(path)).mtimeMs);
  const all = await readStamps(store);
  const before = all[resolve(path)];
  const from = source ?? (before?.sha256 === pin.sha256 ? before.source : undefined);
  const stamp: Stamp = { size: pin.size, sha256: pin.sha256, mtimeMs, ...(from && { source: from }) };
  await writeStamps(store, { ...all, [resolve(path)]: stamp });
}

export async function forgetPin(store: Store, path: string): Promise<void> {
  const { [resolve(path)]: _, ...rest } = await readStamps(store);
  await writeStamps(store, rest);
}

async function readStamps(store: Store): Promise<Record<string, Stamp>> {
  try {
    const value: unknown = JSON.parse(await readFile(stampFile(store), 'utf8'));
    return value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, Stamp>) : {};
  } catch {
    return {}; // Missing or damaged: nothing is known, so everything is hashed again.
  }
}

async function writeStamps(store: Store, stamps: Record<string, Stamp>): Promise<void> {
  const target = stampFile(store);
  const temporary = join(store.folder, `.${basename(target)}.${randomUUID()}`);
  try {
    await mkdir(store.folder, { recursive: true });
    await writeFile(temporary, `${JSON.stringify(stamps, null, 2)}\n`);
    await rename(temporary, target);
  } catch {
    // Whatever the system has against it: read-only, full, no home at all. The model is there all the same.
    await rm(temporary, { force: true }).catch(() => {});
  }
}

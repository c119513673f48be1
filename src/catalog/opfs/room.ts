import { RealmError } from '../../errors.ts';

const hint = 'Remove a kept model (removeCachedModel), make room on the disk, or load without cache';

/**
 * Throws `storage_failed` where the browser says that it has no room for so many more bytes. Chromium says of every page that
 * there are 10 GiB; that this is not so is found when it is full.
 */
export async function checkRoom(bytes: number): Promise<void> {
  const { quota, usage } = await estimate();
  if (quota === undefined || usage === undefined || quota - usage >= bytes) return;
  throw new RealmError(
    'storage_failed',
    `the browser lets this page keep ${Math.max(0, quota - usage)} more bytes, and the model needs ${bytes}. ${hint}`,
  );
}

/** Empty where the browser says nothing. */
const estimate = async (): Promise<StorageEstimate> => (await navigator.storage.estimate?.().catch(() => ({}))) ?? {};

export const isFull = (error: unknown): boolean => (error as Error)?.name === 'QuotaExceededError';

export async function noRoom(cause: unknown): Promise<RealmError> {
  const { quota = 0, usage = 0 } = await estimate();
  const message = `the browser has no more room for this page (it says that ${usage} of ${quota} bytes are used). ${hint}`;
  return new RealmError('storage_failed', `${message}; a download goes on where it ended`, { cause });
}

let asked = false;

/**
 * Asks once that the browser does not throw models away when its disk is full. Without it they are kept as long as there is
 * room; whoever refuses, as a worker, which may not ask, is no obstacle.
 */
export function askToPersist(): void {
  if (asked) return;
  asked = true;
  // Firefox asks the user: a download does not wait for the answer.
  navigator.storage.persist?.().catch(() => false);
}

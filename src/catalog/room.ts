import { stat, statfs } from 'node:fs/promises';
import { RealmError } from '../errors.ts';

/** Throws `download_failed` with both numbers where the disk of `folder` has no room for so many bytes. */
export async function checkRoom(folder: string, needed: number): Promise<void> {
  const disk = await statfs(folder);
  const free = disk.bavail * disk.bsize;
  if (free >= needed) return;
  throw new RealmError('download_failed', `${folder} has ${free} bytes free, and ${needed} are needed.`);
}

/** Bytes of a file; 0 where there is none. */
export async function bytesAt(path: string): Promise<number> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() ? found.size : 0;
}

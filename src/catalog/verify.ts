import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { RealmError } from '../errors.ts';
import type { Pin } from './types.ts';

/** Feeds the whole file at `path` to `hash`. */
export async function hashInto(hash: Hash, path: string, signal?: AbortSignal): Promise<void> {
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20, signal })) hash.update(chunk);
}

export async function sha256File(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  await hashInto(hash, path, signal);
  return hash.digest('hex');
}

/** Throws `checksum_mismatch` unless what was found is what was promised. */
export function checkPin(what: string, found: Pin, pin: Pin): void {
  if (found.size !== pin.size) {
    throw new RealmError('checksum_mismatch', `${what} has ${found.size} bytes, expected ${pin.size}.`);
  }
  if (found.sha256 !== pin.sha256) {
    throw new RealmError('checksum_mismatch', `${what} has SHA-256 ${found.sha256}, expected ${pin.sha256}.`);
  }
}

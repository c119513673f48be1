import { createHash, type Hash } from 'node:crypto';
import { open, rm, stat } from 'node:fs/promises';
import { RealmError } from '../errors.ts';
import type { Part } from './part.ts';
import { hashInto } from './verify.ts';

/** A part on disk. Its name carries the checksum of the whole, so that there is no other version of it. */
export function filePart(path: string): Part {
  /** Of this many of its first bytes: what is written is hashed on the way. */
  let hashed: { hash: Hash; bytes: number } | undefined;
  const size = () =>
    stat(path).then(
      found => found.size,
      () => 0,
    );
  return {
    size,
    version: undefined,

    async open(start) {
      const running = { hash: createHash('sha256'), bytes: start };
      if (start > 0) await hashInto(running.hash, path);
      hashed = running;
      const file = await open(path, start > 0 ? 'a' : 'w');
      return {
        write: async chunk => {
          running.hash.update(chunk);
          running.bytes += chunk.length;
          await file.appendFile(chunk).catch(cause => fullOr(path, cause));
        },
        close: async () => {
          await file.sync().finally(() => file.close());
        },
      };
    },

    async sha256(signal) {
      if (hashed?.bytes === (await size())) return hashed.hash.copy().digest('hex');
      const hash = createHash('sha256');
      await hashInto(hash, path, signal);
      return hash.digest('hex');
    },

    remove: () => rm(path, { force: true }),
  };
}

function fullOr(path: string, cause: unknown): never {
  if ((cause as NodeJS.ErrnoException).code !== 'ENOSPC') throw cause;
  throw new RealmError('download_failed', `${path}: the disk is full.`, { cause });
}

import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Files, OpenFile } from '../platform.ts';
import { realmHome } from './home.ts';

export const files: Files = {
  areKept: true,
  open: openFile,
  readText: path => readFile(path, 'utf8'),
  inHome: name => join(realmHome(), name),

  async replace(path, write, { makeFolder = false } = {}) {
    if (makeFolder) await mkdir(dirname(path), { recursive: true });
    const unfinished = `${path}.${randomUUID()}.part`;
    try {
      const file = await open(unfinished, 'wx', 0o600);
      try {
        const result = await write({ write: bytes => file.writeFile(bytes) });
        await file.sync();
        await rename(unfinished, path);
        return result;
      } finally {
        await file.close();
      }
    } catch (error) {
      await rm(unfinished, { force: true }).catch(() => {});
      throw error;
    }
  },
};

async function openFile(path: string | URL): Promise<OpenFile> {
  // Looked at before it is opened, because opening a pipe would wait for its writer.
  const kind = await stat(path);
  if (!kind.isFile()) throw Object.assign(new Error('is not a file'), { code: 'EISDIR', syscall: 'open' });
  const file = await open(path, 'r');
  return {
    size: (await file.stat()).size,
    read: async (target, offset) => (await file.read(target, 0, Math.min(target.length, mostBytes), offset)).bytesRead,
    close: () => file.close(),
  };
}

/** Bytes of one system call: the kernel takes at most 2 GiB. */
const mostBytes = 2 ** 30;

/** Files in the origin's private file system. */
import { RealmError } from '../../errors.ts';

/** The names in a folder and what has them; older declarations of types know no async iteration of it. */
export const namesIn = (folder: FileSystemDirectoryHandle): AsyncIterable<string> =>
  (folder as unknown as { keys(): AsyncIterable<string> }).keys();

export async function removeIn(folder: FileSystemDirectoryHandle, name: string): Promise<void> {
  await folder.removeEntry(name, { recursive: true }).catch(unlessMissing);
}

/** For `catch`: what is not there is undefined. */
export function unlessMissing(error: unknown): undefined {
  if ((error as Error).name !== 'NotFoundError') throw error;
}

export interface NewFile {
  write(bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
  /** Closes it too, and what was written may be lost. */
  abort(): Promise<void>;
}

interface SyncHandle {
  truncate(size: number): void;
  write(bytes: Uint8Array, options: { at: number }): number;
  flush(): void;
  close(): void;
}

/** Safari before 26 writes only through these, which only workers have. */
export function syncIn(file: object): file is { createSyncAccessHandle(): Promise<SyncHandle> } {
  return 'createSyncAccessHandle' in file;
}

/** Writes a file anew. */
export async function newFile(folder: FileSystemDirectoryHandle, name: string): Promise<NewFile> {
  const file = await folder.getFileHandle(name, { create: true });
  if ('createWritable' in file) {
    const stream = await file.createWritable();
    return {
      write: bytes => stream.write(bytes as Uint8Array<ArrayBuffer>),
      close: () => stream.close(),
      abort: () => stream.abort(),
    };
  }
  const older: object = file;
  if (!syncIn(older)) throw new RealmError('storage_failed', 'this browser writes files only in a Worker');
  return newSyncFile(await older.createSyncAccessHandle());
}

function newSyncFile(handle: SyncHandle): NewFile {
  let size = 0;
  handle.truncate(0);
  return {
    write: async bytes => {
      const written = handle.write(bytes, { at: size });
      if (written < bytes.length) throw new DOMException('the file takes no more', 'QuotaExceededError');
      size += written;
    },
    close: async () => {
      handle.flush();
      handle.close();
    },
    abort: async () => handle.close(),
  };
}

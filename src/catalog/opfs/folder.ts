import { RealmError } from '../../errors.ts';

/** The folder of the origin's private file system that holds the models. Throws `storage_failed` where there can be none. */
export async function modelsFolder(): Promise<FileSystemDirectoryHandle> {
  if (!globalThis.isSecureContext) throw none('the page does not come over https or from this machine');
  if (!navigator.storage?.getDirectory || !navigator.locks) throw none('it is too old');
  if (!('createWritable' in FileSystemFileHandle.prototype) && !syncIn(FileSystemFileHandle.prototype))
    throw none('it writes files only in a Worker; load the model in one');
  try {
    const root = await navigator.storage.getDirectory();
    return await root.getDirectoryHandle('realm-models', { create: true });
  } catch (cause) {
    throw none('it refuses, as in a private window', cause);
  }
}

function none(why: string, cause?: unknown): RealmError {
  return new RealmError('storage_failed', `this browser keeps no model for this page: ${why}`, { cause });
}

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
function syncIn(file: object): file is { createSyncAccessHandle(): Promise<SyncHandle> } {
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
  if (!syncIn(older)) throw none('it writes no files here');
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

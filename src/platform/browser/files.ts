import { RealmError } from '../../errors.ts';
import type { Files } from '../platform.ts';
import { newFile } from './opfs.ts';

/** A page has no paths; what Realm keeps for itself lies in the origin's private file system, where there is one. */
export const files: Files = {
  areKept: false,
  open: async path => {
    throw new RealmError('model_file_missing', `${path}: a browser opens no paths; give a Blob, a URL or bytes`);
  },

  async readText(path) {
    const file = await (await home(path)).getFileHandle(path);
    return (await file.getFile()).text();
  },

  async replace(path, write) {
    const file = await newFile(await home(path), path);
    try {
      const result = await write(file);
      await file.close();
      return result;
    } catch (error) {
      await file.abort().catch(() => {});
      throw error;
    }
  },

  inHome: name => name,
};

async function home(path: string): Promise<FileSystemDirectoryHandle> {
  if (path.includes('/') || !globalThis.navigator?.storage?.getDirectory)
    throw new RealmError('storage_failed', 'a browser keeps no files; sessions need Node');
  const root = await navigator.storage.getDirectory();
  return root.getDirectoryHandle('realm', { create: true });
}

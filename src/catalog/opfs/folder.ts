import { RealmError } from '../../errors.ts';
import { syncIn } from '../../platform/browser/opfs.ts';

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

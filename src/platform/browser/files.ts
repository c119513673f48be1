import { RealmError } from '../../errors.ts';
import type { Files } from '../platform.ts';

/** A page has no paths. */
export const files: Files = {
  areKept: false,
  open: async path => {
    throw new RealmError('model_file_missing', `${path}: a browser opens no paths; give a Blob, a URL or bytes`);
  },
  readText: none,
  replace: none,
  inHome: name => name,
};

async function none(): Promise<never> {
  throw new RealmError('storage_failed', 'a browser keeps no files; sessions need Node');
}

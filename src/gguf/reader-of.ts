import { RealmError } from '../errors.ts';
import type { GgufFile, Reader } from './types.ts';

/** The reader of one of a model's files, as `TensorInfo.file` counts them. Throws `gguf_invalid` when there is no such file. */
export function readerOf({ readers }: Pick<GgufFile, 'readers'>, file: number): Reader {
  const reader = readers[file];
  if (!reader) throw new RealmError('gguf_invalid', `The model has no file ${file + 1}: give a path, a URL or readers`);
  return reader;
}

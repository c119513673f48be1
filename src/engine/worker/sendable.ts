import { blobReader } from '../../gguf/blob-reader.ts';
import type { FileSource } from '../../gguf/types.ts';

/** The same for another thread: URL objects and Blobs of files do not cross. */
export async function sendable(source: FileSource): Promise<FileSource> {
  if (source instanceof URL) return source.href;
  if (Array.isArray(source)) return (await Promise.all(source.map(sendable))) as (Blob | Uint8Array)[];
  return source instanceof Blob && !isCloneable(source) ? sharedBytes(source) : source;
}

function isCloneable(blob: Blob): boolean {
  try {
    structuredClone(blob);
    return true;
  } catch {
    return false;
  }
}

async function sharedBytes(blob: Blob): Promise<Uint8Array> {
  const bytes = new Uint8Array(new SharedArrayBuffer(blob.size));
  await blobReader(blob).readInto(0, bytes);
  return bytes;
}

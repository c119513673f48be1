import { BlobWindows, windowBytes } from './blob-windows.ts';
import { refuse } from './refuse.ts';
import type { Reader } from './types.ts';

/** A Blob or a File: what the user picked in a browser, or what it keeps. Files of one model share their `windows`. */
export function blobReader(
  blob: Blob,
  name = 'name' in blob ? String(blob.name) : 'blob',
  windows = new BlobWindows(),
): Reader {
  const readInto = async (offset: number, target: Uint8Array) => {
    if (offset + target.length > blob.size) refuse('gguf_truncated', name, `no ${target.length} bytes at ${offset}`);
    for (let done = 0; done < target.length; ) {
      const index = Math.floor((offset + done) / windowBytes);
      const window = await windows.at(blob, index).catch(error => changed(name, error));
      const start = offset + done - index * windowBytes;
      const some = window.subarray(start, start + target.length - done);
      if (some.length === 0) changed(name);
      target.set(some, done);
      done += some.length;
    }
  };
  const read = async (offset: number, length: number) => {
    if (offset + length > blob.size) refuse('gguf_truncated', name, `no ${length} bytes at ${offset}`);
    const bytes = new Uint8Array(length);
    await readInto(offset, bytes);
    return bytes;
  };
  return { name, size: blob.size, read, readInto, close: async () => windows.forget(blob) };
}

/** A File's bytes can be gone when they are read: it was changed or removed after the user picked it. */
function changed(name: string, error?: unknown): never {
  return refuse('gguf_truncated', name, 'the file changed while it was being read; pick it again', error);
}

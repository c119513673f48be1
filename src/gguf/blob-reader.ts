import { refuse } from './refuse.ts';
import type { Reader } from './types.ts';

/** Bytes that `readInto` takes from the blob at a time; bounds the copy that Blob.arrayBuffer() makes. */
const pieceBytes = 16 * 2 ** 20;

/** A Blob or a File that the user picked in a browser. */
export function blobReader(blob: Blob, name = 'name' in blob ? String(blob.name) : 'blob'): Reader {
  const read = async (offset: number, length: number) => {
    const bytes = await bytesOf(blob.slice(offset, offset + length), name);
    if (bytes.length !== length) refuse('gguf_truncated', name, `no ${length} bytes at ${offset}`);
    return bytes;
  };
  const readInto = async (offset: number, target: Uint8Array) => {
    for (let done = 0; done < target.length; done += pieceBytes) {
      target.set(await read(offset + done, Math.min(pieceBytes, target.length - done)), done);
    }
  };
  return { name, size: blob.size, read, readInto, close: async () => {} };
}

/** A File's bytes can be gone when they are read: it was changed or removed after the user picked it. */
async function bytesOf(blob: Blob, name: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await blob.arrayBuffer());
  } catch (error) {
    return refuse('gguf_truncated', name, 'the file changed while it was being read; pick it again', error);
  }
}

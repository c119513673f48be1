import { refuse } from './refuse.ts';
import type { Reader } from './types.ts';

/** A file whose bytes are in memory already; `read` returns views of them. */
export function memoryReader(given: Uint8Array, name = 'memory'): Reader {
  // A Buffer's slice() would be a view.
  const bytes = new Uint8Array(given.buffer, given.byteOffset, given.byteLength);
  const slice = (offset: number, length: number) => {
    if (offset + length > bytes.length) refuse('gguf_truncated', name, `no ${length} bytes at ${offset}`);
    return bytes.subarray(offset, offset + length);
  };
  return {
    name,
    size: bytes.length,
    read: async (offset, length) => slice(offset, length),
    readInto: async (offset, target) => target.set(slice(offset, target.length)),
    close: async () => {},
  };
}

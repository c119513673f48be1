import { platform } from '#platform';

/** Memory that other threads see too, where threads can share any. */
export function sharedBytes(bytes: number): ArrayBufferLike {
  return platform.sharesMemory ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes);
}

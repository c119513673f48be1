import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import type { Digest, Digests } from '../platform.ts';

const encoder = new TextEncoder();
const bytesOf = (part: Uint8Array | string): Uint8Array => (typeof part === 'string' ? encoder.encode(part) : part);

export const digests: Digests = {
  sha256: () => running(sha256.create()),
  hmac: code,
  hmacText: (key, ...parts) => btoa(String.fromCharCode(...code(key, ...parts))),
  equal: (a, b) => {
    let different = a.length ^ b.length;
    for (const [i, byte] of a.entries()) different |= byte ^ (b[i] ?? 0);
    return different === 0;
  },
};

function code(key: Uint8Array, ...parts: readonly (Uint8Array | string)[]): Uint8Array {
  const running = hmac.create(sha256, key);
  for (const part of parts) running.update(bytesOf(part));
  return running.digest();
}

function running(hash: ReturnType<typeof sha256.create>): Digest {
  return {
    update: part => hash.update(bytesOf(part)),
    copy: () => running(hash.clone()),
    digest: () => hash.digest(),
  };
}

import { ctr } from '@noble/ciphers/aes.js';
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
  keystream: key => {
    let taken = 0;
    return count => {
      const start = taken;
      taken += count;
      return keystreamAt(key, start, count);
    };
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

const blockBytes = 16;

/** The counter stands in the nonce, so a stream goes on in the middle. */
function keystreamAt(key: Uint8Array, start: number, count: number): Uint8Array {
  const behind = start % blockBytes;
  const nonce = new Uint8Array(blockBytes);
  new DataView(nonce.buffer).setBigUint64(8, BigInt((start - behind) / blockBytes));
  return ctr(key, nonce)
    .encrypt(new Uint8Array(behind + count))
    .subarray(behind);
}

import { createCipheriv, createHash, createHmac, type Hmac, timingSafeEqual } from 'node:crypto';
import type { Digests } from '../platform.ts';

export const digests: Digests = {
  sha256: () => createHash('sha256'),
  hmac: (key, ...parts) => hmac(key, parts).digest(),
  hmacText: (key, ...parts) => hmac(key, parts).digest('base64'),
  equal: timingSafeEqual,
  keystream: key => {
    const cipher = createCipheriv('aes-256-ctr', key, new Uint8Array(16));
    return count => cipher.update(new Uint8Array(count));
  },
};

function hmac(key: Uint8Array, parts: readonly (Uint8Array | string)[]): Hmac {
  const digest = createHmac('sha256', key);
  for (const part of parts) digest.update(part);
  return digest;
}

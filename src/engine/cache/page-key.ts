import { createHmac, randomBytes } from 'node:crypto';
import type { Token } from '../../tokenizer/types.ts';

/** A tenant's secret, made here and never shown: nobody can compute, or choose, another tenant's keys. */
export function newSecret(): Uint8Array {
  return randomBytes(32);
}

/** Key of a page: HMAC-SHA-256 of the key of the page before it and its own tokens. */
export function pageKey(secret: Uint8Array, previous: string, tokens: readonly Token[]): string {
  return createHmac('sha256', secret).update(previous).update(Int32Array.from(tokens)).digest('base64');
}

import { platform } from '#platform';
import type { Token } from '../../tokenizer/types.ts';

/** A tenant's secret, made here and never shown: nobody can compute, or choose, another tenant's keys. */
export function newSecret(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(32));
}

/** Key of a page: HMAC-SHA-256 of the key of the page before it and its own tokens. */
export function pageKey(secret: Uint8Array, previous: string, tokens: readonly Token[]): string {
  return platform.digests.hmacText(secret, previous, new Uint8Array(Int32Array.from(tokens).buffer));
}

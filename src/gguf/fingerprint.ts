import { platform } from '#platform';
import { hex } from '../platform/hex.ts';
import { readerOf } from './reader-of.ts';
import type { GgufFile } from './types.ts';

/** Bytes of each tensor that count. */
const sampled = 4096;

/**
 * Tells files with different weights apart without reading them whole: SHA-256 over every tensor's name, type and shape and its
 * first bytes, and over the metadata. Hex.
 */
export async function fingerprint(file: GgufFile): Promise<string> {
  const hash = platform.digests.sha256();
  for (const [key, value] of file.metadata) hash.update(JSON.stringify([key, value], withBigints));
  for (const { name, type, shape, file: index, offset, bytes } of file.tensors.values()) {
    hash.update(JSON.stringify([name, type, shape]));
    hash.update(await readerOf(file, index).read(offset, Math.min(sampled, bytes)));
  }
  return hex(hash.digest());
}

function withBigints(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}

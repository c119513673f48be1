import type { PagedShape } from '../backend/backend.ts';
import type { CacheLayers } from './cache-layers.ts';
import { most } from './config.ts';
import type { Keys } from './keys.ts';

/** The widths of multi-head latent attention. */
export interface LatentSizes {
  /** Of what is kept of a token for all heads, which keys and values are made of. */
  readonly latent: number;
  /** Of the part of each query, and of the one key of all heads, that is rotated. */
  readonly rotated: number;
  /** Of the other part of each query. */
  readonly plain: number;
  /** Of a head's value. */
  readonly value: number;
}

/** Files that say nothing of it have the lengths of the heads as they are attended without absorption. */
export function readLatentSizes(keys: Keys): LatentSizes {
  const length = (key: string) => {
    const own = `${key}_mla`;
    return keys.size(keys.maybe(own) === undefined ? key : own, most.headDim);
  };
  const [latent, key, value] = [
    keys.size('attention.kv_lora_rank', most.headDim),
    length('attention.key_length'),
    length('attention.value_length'),
  ];
  const rotated = keys.size('rope.dimension_count', most.headDim);
  if (rotated % 2 !== 0) keys.fail('rope.dimension_count', `is ${rotated} and must be even`);
  if (key % 2 !== 0) keys.fail('attention.key_length_mla', `is ${key} and must be even`);
  if (rotated >= key) keys.fail('rope.dimension_count', `is ${rotated}, which leaves nothing of heads of ${key}`);
  if (keys.maybe('attention.key_length_mla') !== undefined) {
    checkLength(keys, 'attention.key_length', latent + rotated);
    checkLength(keys, 'attention.value_length', latent);
  }
  return { latent, rotated, plain: key - rotated, value };
}

function checkLength(keys: Keys, key: string, expected: number): void {
  const found = keys.maybe(key) ?? expected;
  if (found !== expected) keys.fail(key, `is ${found}; a latent of attention.kv_lora_rank makes it ${expected}`);
}

/** A latent of each token, and what is rotated beside it. */
export const latentCache: CacheLayers = ({ layers }, keys) => {
  const { latent, rotated } = readLatentSizes(keys);
  return Array.from({ length: layers }, (): PagedShape => {
    return { kvHeads: 1, headDim: latent + rotated, latentDim: latent };
  });
};

import type { Keys } from './hyper.ts';

/** How the hidden states of a text become one vector; `rank` models give a score instead. */
export type Pooling = 'mean' | 'cls' | 'last' | 'rank';

/** By llama.cpp's number. */
const poolings: readonly (Pooling | undefined)[] = [undefined, 'mean', 'cls', 'last', 'rank'];

/** What `<architecture>.pooling_type` says; 0 and no such key say nothing. */
export function readPooling(keys: Keys): Pooling | undefined {
  return poolings[keys.maybe('pooling_type', { min: 0, max: poolings.length - 1, integer: true }) ?? 0];
}

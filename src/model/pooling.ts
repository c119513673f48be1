import type { Keys } from './keys.ts';

/** How the hidden states of a text become one vector; `rank` models give a score instead. */
export type Pooling = 'mean' | 'cls' | 'last' | 'rank';

/** By llama.cpp's number. */
const poolings: readonly (Pooling | undefined)[] = [undefined, 'mean', 'cls', 'last', 'rank'];

/** What `<architecture>.pooling_type` says; 0, no such key and numbers that are none of these (-1 is written too) say nothing. */
export function readPooling({ meta, architecture }: Keys): Pooling | undefined {
  return poolings[Number(meta.metadata.get(`${architecture}.pooling_type`))];
}

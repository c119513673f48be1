/** Where a step's rows and segments begin with a state, and where they put theirs, as words for kernels. */
import { RealmError } from '../../errors.ts';
import type { BatchLayout, Segment } from '../backend.ts';

/** In the place of a slot: there is none. */
export const none = 0xffffffff;
/** Words of a row: its number in its segment, the slot that this begins with, the one that is written behind it. */
export const rowWords = 3;
/** Words of a segment: its first row, how many it has, the slot that it begins with, the one that is written. */
export const segmentWords = 4;

interface Words {
  readonly rows: Uint32Array;
  readonly segments: Uint32Array;
}

const known = new WeakMap<BatchLayout, Words>();

/** Made once a batch: layers pass over it alike. */
export function wordsOf(batch: BatchLayout): Words {
  const made = known.get(batch);
  if (made) return made;
  const words = { rows: new Uint32Array(rowWords * batch.tokens), segments: segmentsOf(batch) };
  for (const segment of batch.segments) {
    const { start, count } = segment;
    const { first, next } = slotsOf(segment);
    for (let i = 0; i < count; i++) words.rows.set([i, first, i === count - 1 ? next : none], rowWords * (start + i));
  }
  known.set(batch, words);
  return words;
}

const segmentsOf = ({ segments }: BatchLayout): Uint32Array =>
  Uint32Array.from(
    segments.flatMap(segment => {
      const { first, next } = slotsOf(segment);
      return [segment.start, segment.count, first, next];
    }),
  );

function slotsOf({ position, slot, nextSlot }: Segment) {
  if (nextSlot === undefined || slot === nextSlot || (slot === undefined && position > 0))
    throw new RealmError('internal_error', `a state from slot ${slot} to ${nextSlot}`);
  return { first: position === 0 ? none : slot!, next: nextSlot };
}

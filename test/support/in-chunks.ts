import type { Model } from '../../src/model/types.ts';
import { logitsOf } from './logits.ts';

/**
 * Logits after the last token: the sequence in chunks that end at `ends`, in the last step beside `others` others. Pages and slots
 * from number 0 on, one page and two slots for each sequence.
 */
export async function logitsInChunks(
  model: Model,
  tokens: Int32Array,
  ends: readonly number[],
  others: number,
): Promise<Float32Array> {
  let from = 0;
  let slot = 0;
  for (const to of ends) {
    const neighbours = to === tokens.length ? others : 0;
    // The neighbours each have a token of their own at position 0; the sequence comes in their midst.
    const before = neighbours >> 1;
    const neighbour = (page: number, start: number) => {
      const slots = { slot: 2 * page, nextSlot: 2 * page + 1 };
      return { start, count: 1, position: 0, pages: Int32Array.of(page), ...slots };
    };
    const rows = to - from;
    const ids = [...tokens.slice(0, before), ...tokens.slice(from, to), ...tokens.slice(0, neighbours - before)];
    await model.run({
      tokens: ids.length,
      ids: Int32Array.from(ids),
      positions: Int32Array.from(ids, (_, i) => (i >= before && i < before + rows ? from + i - before : 0)),
      outputs: Int32Array.of(before + rows - 1),
      segments: [
        ...Array.from({ length: before }, (_, i) => neighbour(1 + i, i)),
        { start: before, count: rows, position: from, pages: Int32Array.of(0), slot, nextSlot: 1 - slot },
        ...Array.from({ length: neighbours - before }, (_, i) => neighbour(1 + before + i, before + rows + i)),
      ],
    });
    [from, slot] = [to, 1 - slot];
  }
  return logitsOf(model, 0);
}

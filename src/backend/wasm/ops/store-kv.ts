import { defineOp } from './op.ts';

/** Writes rows of keys and values into their pages. Items: rows. */
export const storeKv = defineOp({
  name: 'storeKv',
  params: {
    rows: 'i32',
    /** Number of the cache's type. */
    type: 'i32',
    k: 'i32',
    kStride: 'i32',
    v: 'i32',
    vStride: 'i32',
    /** For each row the byte offset of its page and its slot there. */
    places: 'i32',
    /** Keys of page 0. */
    base: 'i32',
    /** Bytes from a page's keys to its values. */
    valuesAt: 'i32',
    heads: 'i32',
    headDim: 'i32',
    /** Bytes of a page's keys of one head. */
    headBytes: 'i32',
  },
  items: ({ rows }) => rows,
  run: at => (m, _, first, count, ints) => {
    const [heads, headDim, headBytes] = [ints[at.heads], ints[at.headDim], ints[at.headBytes]];
    for (let row = first; row < first + count; row++) {
      const place = (ints[at.places] >>> 2) + 2 * row;
      const page = ints[at.base] + m.words[place];
      const slot = m.words[place + 1];
      const values = page + ints[at.valuesAt];
      const [k, v] = [ints[at.k] + row * ints[at.kStride], ints[at.v] + row * ints[at.vStride]];
      if (ints[at.type] === 0) {
        m.kernels.store_kv(k, v, page + 2 * slot, values + 2 * headDim * slot, heads, headDim, headBytes);
      } else m.kernels.store_kv_q8(k, v, page, values, slot, heads, headDim, headBytes);
    }
  },
});

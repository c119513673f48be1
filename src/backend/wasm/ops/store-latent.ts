import { defineOp } from './op.ts';

/** Writes rows of latents, and of what is rotated beside them, into their pages as keys. Items: rows. */
export const storeLatent = defineOp({
  name: 'storeLatent',
  params: {
    rows: 'i32',
    /** Number of the cache's type. */
    type: 'i32',
    latent: 'i32',
    latentStride: 'i32',
    rotated: 'i32',
    rotatedStride: 'i32',
    /** For each row the byte offset of its page and its slot there. */
    places: 'i32',
    /** Keys of page 0. */
    base: 'i32',
    latentDim: 'i32',
    headDim: 'i32',
  },
  items: ({ rows }) => rows,
  run: at => (m, _, first, count, ints) => {
    const [latentDim, headDim] = [ints[at.latentDim], ints[at.headDim]];
    const store = ints[at.type] === 0 ? m.kernels.store_keys : m.kernels.store_keys_q8;
    for (let row = first; row < first + count; row++) {
      const place = (ints[at.places] >>> 2) + 2 * row;
      const page = ints[at.base] + m.words[place];
      const slot = m.words[place + 1];
      store(ints[at.latent] + row * ints[at.latentStride], page, slot, 0, latentDim, headDim);
      store(ints[at.rotated] + row * ints[at.rotatedStride], page, slot, latentDim, headDim - latentDim, headDim);
    }
  },
});

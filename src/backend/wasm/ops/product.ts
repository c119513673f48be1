import { maxTile, tilesOf } from '../../../kernels/activation.ts';
import { groupRows } from '../../../kernels/layout.ts';
import { defineOp } from './op.ts';

/** Row groups of about this many bytes stay in a core's cache while the tiles pass. */
const cacheBytes = 256 << 10;

/** What both products take. */
export const productParams = {
  /** Number of the weights' type. */
  type: 'i32',
  weights: 'i32',
  groups: 'i32',
  /** Blocks in a row. */
  blocks: 'i32',
  groupStride: 'i32',
  /** Quantised activations, and the bytes of one token's. */
  x: 'i32',
  perToken: 'i32',
  rows: 'i32',
  out: 'i32',
  outStride: 'i32',
  /** Address, or 0. */
  bias: 'i32',
  /** 1: adds to what is in `out`. */
  accumulate: 'i32',
} as const;

export const groupBytes = 4 * groupRows;

/** out[i] = weights * x[i] (+ bias), weights unpacked on the fly. Items: row groups. */
export const product = defineOp({
  name: 'product',
  params: productParams,
  items: ({ groups }) => groups,
  chunk({ rows, groupStride }, groups, turns) {
    const fair = Math.ceil(groups / turns);
    return rows > maxTile ? Math.min(fair, Math.ceil(cacheBytes / groupStride)) : fair;
  },
  run: at => (m, context, first, count, ints) => {
    const [blocks, perToken, stride] = [ints[at.blocks], ints[at.perToken], ints[at.outStride]];
    const weights = ints[at.weights] + first * ints[at.groupStride];
    const column = first * groupBytes;
    const bias = ints[at.bias] && ints[at.bias] + column;
    const kernels = m.products[ints[at.type]];
    let x = ints[at.x];
    let out = ints[at.out] + column;
    for (const tile of tilesOf(ints[at.rows], context.maxTile)) {
      kernels[tile](weights, blocks, count, x, out, stride, bias, ints[at.accumulate], context.scratch);
      x += tile * perToken;
      out += tile * stride;
    }
  },
});

/** What attention's splits come to, as 8-bit blocks; rows that were not split are quantised as they are. */
import { combineWords } from '../attention/plan.ts';
import { paramsOf } from '../dispatch.ts';
import { exactArithmetic } from '../exact.ts';
import { defineKernel, type Kernel } from '../kernel.ts';
import { mathOf } from '../math.ts';
import { attentionCombine, combinedOf } from '../ops/attention-combine.ts';
import { quantizeCode } from '../ops/quantize.ts';
import { thenQuantize } from './then-quantize.ts';

/** Every workgroup looks for its row among those that were split. */
const mostRows = 64;

const kernelOf = (quantize: Kernel, blockSize: number): Kernel =>
  defineKernel({
    name: `${attentionCombine.name}, ${quantize.name}`,
    params: paramsOf({ of: attentionCombine, to: quantize }),
    workgroup: 64,
    declarations: exactArithmetic() + mathOf(1) + combinedOf(4, 'of_') + quantizeCode(blockSize, 64),
    main: `
  let piece = group.x * 8 + lane / 8;
  let column = piece * 32 + lane % 8 * 4;
  let out = p.of_out + group.y * p.of_outStride + column;
  var entry = 0u;
  while (entry < p.of_count && tables[p.of_rows + entry * ${combineWords}] != group.y) { entry++; }
  var values = vec4f(0);
  if (piece < p.to_pieces) {
    if (entry < p.of_count) {
      let row = p.of_rows + entry * ${combineWords};
      let headWords = p.of_headDim + 2;
      let slotWords = p.to_pieces * 32 / p.of_headDim * headWords;
      let first = p.of_scratch + tables[row + 1] * slotWords + column / p.of_headDim * headWords;
      values = combined(first, tables[row + 2] * slotWords, tables[row + 3], column % p.of_headDim, column / p.of_headDim);
      for (var i = 0u; i < 4; i++) { work[out + i] = bitcast<u32>(values[i]); }
    } else {
      values = bitcast<vec4f>(vec4u(work[out], work[out + 1], work[out + 2], work[out + 3]));
    }
  }
  quantize(lane, values, piece, p.to_pieces, p.to_out + group.y * p.to_perToken);`,
  });

export const combineQuantize = thenQuantize({
  before: attentionCombine,
  kernelOf,
  groups: ({ groups: [count, heads], params }, to) =>
    count <= mostRows && heads! * params.headDim! === 32 * to.params.pieces! ? to.groups : undefined,
});

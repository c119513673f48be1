/** A norm of whole rows, and what it writes as 8-bit blocks. */
import { paramsOf } from '../dispatch.ts';
import { exactArithmetic } from '../exact.ts';
import { foldedSumVariables } from '../folded-sum.ts';
import { defineKernel, type Kernel } from '../kernel.ts';
import { quantizeCode } from '../ops/quantize.ts';
import { inverseRms, normKernels } from '../ops/rms-norm.ts';
import { thenQuantize } from './then-quantize.ts';

const kernelOf = (norm: Kernel, quantize: Kernel, blockSize: number): Kernel =>
  defineKernel({
    name: `${norm.name}, ${quantize.name}`,
    params: paramsOf({ norm, to: quantize }),
    workgroup: norm.workgroup,
    declarations: [
      exactArithmetic(),
      foldedSumVariables,
      inverseRms(norm.workgroup),
      quantizeCode(blockSize, norm.workgroup),
    ].join('\n'),
    main: `
  let x = p.norm_x + group.y * p.norm_xStride;
  let out = p.norm_out + group.y * p.norm_outStride;
  let r = inverseRms(x, p.norm_columns, 0.0, p.norm_epsilon, lane);
  for (var first = 0u; first < p.norm_columns; first += ${4 * norm.workgroup}) {
    let column = first + 4 * lane;
    var values = vec4f(0);
    for (var i = 0u; i < 4 && column < p.norm_columns; i++) {
      let at = column + i;
      values[i] = kept(product(bitcast<f32>(work[x + at]), r) * bitcast<f32>(work[p.norm_weight + at]));
      work[out + at] = bitcast<u32>(values[i]);
    }
    quantize(lane, values, column / 32, p.to_pieces, p.to_out + group.y * p.to_perToken);
  }`,
  });

export const normQuantize = normKernels.flatMap(norm =>
  thenQuantize({
    before: norm,
    kernelOf: (quantize, blockSize) => kernelOf(norm, quantize, blockSize),
    groups: ({ groups: [across, rows = 1], params }, to) =>
      across === 1 && rows === to.groups[1] && params.columns === 32 * to.params.pieces! ? [1, rows] : undefined,
  }),
);

/** A gate, and what it writes as 8-bit blocks. */
import { everyGate, type Gate } from '../../backend.ts';
import { paramsOf } from '../dispatch.ts';
import { exactArithmetic } from '../exact.ts';
import { defineKernel, type Kernel } from '../kernel.ts';
import { activations, gatedBy } from '../ops/activation.ts';
import { gateKernels } from '../ops/gate.ts';
import { quantizeCode } from '../ops/quantize.ts';
import { thenQuantize } from './then-quantize.ts';

const kernelOf = (kind: Gate, gate: Kernel, quantize: Kernel, blockSize: number): Kernel =>
  defineKernel({
    name: `${gate.name}, ${quantize.name}`,
    params: paramsOf({ gate, to: quantize }),
    workgroup: 64,
    declarations: exactArithmetic() + activations + quantizeCode(blockSize, 64),
    main: `
  let piece = group.x * 8 + lane / 8;
  let column = piece * 32 + lane % 8 * 4;
  var values = vec4f(0);
  for (var i = 0u; i < 4 && piece < p.to_pieces; i++) {
    let gate = bitcast<f32>(work[p.gate_gate + group.y * p.gate_gateStride + column + i]);
    let up = bitcast<f32>(work[p.gate_up + group.y * p.gate_upStride + column + i]);
    values[i] = kept(${gatedBy(kind, 'gate', 'up')});
    work[p.gate_out + group.y * p.gate_outStride + column + i] = bitcast<u32>(values[i]);
  }
  quantize(lane, values, piece, p.to_pieces, p.to_out + group.y * p.to_perToken);`,
  });

export const gateQuantize = everyGate.flatMap(kind => {
  const before = gateKernels[kind];
  return thenQuantize({
    before,
    kernelOf: (quantize, blockSize) => kernelOf(kind, before, quantize, blockSize),
    groups: ({ groups, params }, to) =>
      groups[1] === to.groups[1] && params.columns === 32 * to.params.pieces! ? to.groups : undefined,
  });
});

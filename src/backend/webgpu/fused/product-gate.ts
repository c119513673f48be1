/** Products of few tokens with two matrices, and the gate of one by the other: a workgroup has the same rows of both. */
import { everyGate, type Gate } from '../../backend.ts';
import { type Dispatch, type Fusion, paramsOf } from '../dispatch.ts';
import { exactArithmetic } from '../exact.ts';
import { activations, gatedBy } from '../ops/activation.ts';
import { gateKernels } from '../ops/gate.ts';
import { type Extra, fewFamily, fewRows } from '../ops/product-few.ts';
import { fewWith } from '../ops/product-kernels.ts';

const gated = (kind: Gate): Extra => ({
  name: kind,
  pairs: true,
  params: product => ({ ...product, ...(paramsOf({ gate: gateKernels[kind] }) as typeof product) }),
  declarations: () => `${exactArithmetic()}${activations}
fn storeBoth(token: u32, row: u32, gate: f32, up: f32) {
  useMatrix0();
  store(token, row, gate);
  useMatrix1();
  store(token, row, up);
  // With what was added to the products.
  let a = bitcast<f32>(work[p.out0 + token * p.outStride0 + row]);
  let b = bitcast<f32>(work[p.out1 + token * p.outStride1 + row]);
  work[p.gate_out + token * p.gate_outStride + row] = bitcast<u32>(${gatedBy(kind, 'a', 'b')});
}`,
});

/** The two matrices whole, and nothing else. */
function isGateOf({ params: to, groups }: Dispatch, { params: of }: Dispatch): boolean {
  const half = Math.ceil(to.columns! / fewRows);
  const whole = of.groups === 2 * half && of.rows0 === to.columns && of.rows1 === to.columns && of.first0 === of.first1;
  const both = of.out0 === to.gate && of.out1 === to.up && of.start1 === half;
  return whole && both && of.outStride0 === to.gateStride && of.outStride1 === to.upStride && of.tokens === groups[1];
}

export const productGate = everyGate.map((kind): Fusion => {
  const extra = gated(kind);
  return {
    kernels: [fewFamily, gateKernels[kind]],
    fuse: parts => {
      const [product, gate] = parts as readonly [Dispatch, Dispatch];
      if (!isGateOf(gate, product)) return;
      const { groups, buffers } = product;
      return { kernel: fewWith(product.kernel, extra), groups, params: {}, buffers, parts };
    },
  };
});

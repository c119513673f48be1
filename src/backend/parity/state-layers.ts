/** Layers with a state, in shapes that meet every kind of tile. */
import type { Backend, BatchLayout, Buffer, ConvolutionOptions, DeltaShape, KvCache, ScanShape } from '../backend.ts';
import { floats } from './data.ts';

export interface StateLayer {
  readonly title: string;
  /** Columns of each input, and of what it gives. */
  readonly inputs: readonly number[];
  readonly outColumns: number;
  /** Values before its own in the layer's state, and those that it has. */
  readonly at: number;
  readonly stateSize: number;
  /** Makes its weights; what is returned records the layer, which is the cache's second. */
  on(backend: Backend): (out: Buffer, inputs: readonly Buffer[], cache: KvCache, batch: BatchLayout) => void;
}

export const stateLayer = 1;

export const layers: readonly StateLayer[] = [
  convolution(4, 40, { activation: 'silu' }),
  convolution(3, 2056, { bias: true }),
  convolution(2, 7, { bias: true, activation: 'silu', at: 5 }),
  delta({ keyHeads: 3, keyDim: 16, valueHeads: 3, valueDim: 24, epsilon: 1e-6, at: 6 }),
  delta({ keyHeads: 1, keyDim: 24, valueHeads: 5, valueDim: 8, epsilon: 0.5 }),
  delta({ keyHeads: 2, keyDim: 64, valueHeads: 4, valueDim: 64, epsilon: 1e-6 }),
  delta({ keyHeads: 2, keyDim: 16, valueHeads: 6, valueDim: 16, grouped: true, epsilon: 1e-6 }),
  scan({ heads: 6, headDim: 24, groups: 2, stateDim: 16, at: 7 }),
  scan({ heads: 3, headDim: 8, groups: 1, stateDim: 40 }),
  scan({ heads: 2, headDim: 40, groups: 2, stateDim: 64 }),
];

function convolution(
  taps: number,
  columns: number,
  { bias, activation, at = 0 }: { bias?: boolean } & Pick<ConvolutionOptions, 'activation' | 'at'>,
): StateLayer {
  return {
    title: `convolution of ${taps} taps over ${columns} columns`,
    inputs: [columns],
    outColumns: columns,
    at,
    stateSize: (taps - 1) * columns,
    on(backend) {
      const kernel = backend.vector(floats(1, taps * columns));
      const options = { taps, activation, at, bias: bias ? backend.vector(floats(2, columns)) : undefined };
      return (out, [x], cache, batch) => backend.convolve(out, x!, kernel, cache, stateLayer, batch, options);
    },
  };
}

function delta(shape: DeltaShape): StateLayer {
  const { keyHeads, keyDim, valueHeads, valueDim, grouped, at = 0 } = shape;
  return {
    title: `delta rule of ${keyHeads}/${valueHeads}${grouped ? ' grouped' : ''} heads of ${keyDim} x ${valueDim}`,
    inputs: [2 * keyHeads * keyDim + valueHeads * valueDim, valueHeads, valueHeads],
    outColumns: valueHeads * valueDim,
    at,
    stateSize: valueHeads * keyDim * valueDim,
    on(backend) {
      const decay = backend.vector(floats(1, valueHeads).map(value => -Math.abs(value)));
      const shift = backend.vector(floats(2, valueHeads));
      return (out, [qkv, alpha, beta], cache, batch) => {
        const inputs = { qkv: qkv!, alpha: alpha!, beta: beta!, decay, shift };
        backend.deltaRule(out, inputs, cache, stateLayer, batch, shape);
      };
    },
  };
}

function scan(shape: ScanShape): StateLayer {
  const { heads, headDim, groups, stateDim, at = 0 } = shape;
  return {
    title: `state space step of ${heads} heads of ${headDim} in ${groups} groups, ${stateDim} dimensions`,
    inputs: [heads * headDim + 2 * groups * stateDim, heads],
    outColumns: heads * headDim,
    at,
    stateSize: heads * headDim * stateDim,
    on(backend) {
      const decay = backend.vector(floats(1, heads).map(value => -Math.abs(value)));
      const [shift, skip] = [backend.vector(floats(2, heads)), backend.vector(floats(3, heads))];
      return (out, [xbc, dt], cache, batch) => {
        backend.scan(out, { xbc: xbc!, dt: dt!, decay, shift, skip }, cache, stateLayer, batch, shape);
      };
    },
  };
}

/** Records what layers with a state of fixed size compute. */
import { RealmError } from '../../errors.ts';
import type { BatchLayout, DeltaInputs, DeltaShape, ScanInputs, ScanShape } from '../backend.ts';
import type { Context } from './context.ts';
import type { GpuCache, GpuVector, GpuWorkBuffer, StateLayer } from './handles.ts';
import { convolve, type GpuConvolution } from './ops/convolve.ts';
import { deltaRule } from './ops/delta-rule.ts';
import { scan } from './ops/scan.ts';
import { wordsOf } from './segment-words.ts';

export class States {
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  convolve(
    out: GpuWorkBuffer,
    x: GpuWorkBuffer,
    kernel: GpuVector,
    cache: GpuCache,
    layer: number,
    batch: BatchLayout,
    options: GpuConvolution,
  ): void {
    const own = stateOf(cache, layer, (options.at ?? 0) + (options.taps - 1) * x.columns);
    convolve(this.#context, out, x, kernel, own, wordsOf(batch).rows, options);
  }

  deltaRule(
    out: GpuWorkBuffer,
    inputs: DeltaInputs,
    cache: GpuCache,
    layer: number,
    batch: BatchLayout,
    shape: DeltaShape,
  ): void {
    const { owner } = this.#context;
    const [qkv, alpha, beta] = [owner.own(inputs.qkv), owner.own(inputs.alpha), owner.own(inputs.beta)];
    const own = { qkv, alpha, beta, decay: owner.own(inputs.decay), shift: owner.own(inputs.shift) };
    const { valueHeads, keyDim, valueDim, at = 0 } = shape;
    const states = stateOf(cache, layer, at + valueHeads * keyDim * valueDim);
    deltaRule(this.#context, out, own, states, wordsOf(batch).segments, shape);
  }

  scan(
    out: GpuWorkBuffer,
    inputs: ScanInputs,
    cache: GpuCache,
    layer: number,
    batch: BatchLayout,
    shape: ScanShape,
  ): void {
    const { owner } = this.#context;
    const [decay, shift, skip] = [owner.own(inputs.decay), owner.own(inputs.shift), owner.own(inputs.skip)];
    const own = { xbc: owner.own(inputs.xbc), dt: owner.own(inputs.dt), decay, shift, skip };
    const { heads, headDim, stateDim, at = 0 } = shape;
    const states = stateOf(cache, layer, at + heads * stateDim * headDim);
    scan(this.#context, out, own, states, wordsOf(batch).segments, shape);
  }
}

/** A layer that keeps a state of at least so many values. */
function stateOf({ layers }: GpuCache, index: number, values: number): StateLayer {
  const layer = layers[index];
  if (layer && 'stateSize' in layer && values <= layer.stateSize) return layer;
  throw new RealmError('internal_error', `layer ${index} has no state of ${values} values`);
}

/** Records what layers with a state of fixed size compute. */
import { RealmError } from '../../errors.ts';
import { convolutionTaps } from '../../kernels/states.ts';
import type { Backend, BatchLayout } from '../backend.ts';
import type { Owner } from '../owner.ts';
import type { Handles, StateLayer, WasmCache } from './handles.ts';
import { convolve } from './ops/convolve.ts';
import { deltaRule } from './ops/delta-rule.ts';
import { scan } from './ops/scan.ts';
import type { Recorder } from './recorder.ts';
import type { Residency } from './residency.ts';
import { partsOf } from './state-passes.ts';
import type { StepTables } from './step-tables.ts';

/** Most dimensions of a key, so that the keys and queries of some tokens fit a thread's scratch. */
const mostKeyDim = 504;

export class States {
  readonly #owner: Owner<Handles>;
  readonly #recorder: Recorder;
  readonly #residency: Residency;
  readonly #tables: StepTables;

  constructor(owner: Owner<Handles>, recorder: Recorder, residency: Residency, tables: StepTables) {
    this.#owner = owner;
    this.#recorder = recorder;
    this.#residency = residency;
    this.#tables = tables;
  }

  convolve(...[to, from, weights, cache, layer, batch, options]: Parameters<Backend['convolve']>): void {
    const { taps, activation, at = 0 } = options;
    const [out, x, kernel] = [this.#owner.own(to), this.#owner.own(from), this.#owner.own(weights)];
    const bias = options.bias && this.#owner.own(options.bias);
    const { columns } = x;
    if (!convolutionTaps.some(each => each === taps)) throw unavailable(`a convolution of ${taps} taps`);
    expect(
      out.columns === columns && out.address !== x.address,
      `a convolution of ${columns} columns into ${out.columns}`,
    );
    expect(
      kernel.length === taps * columns && (bias?.length ?? columns) === columns,
      'a kernel or a bias of another size',
    );
    const { block, slotBytes } = stateOf(this.#owner.own(cache), layer, batch, at, (taps - 1) * columns);
    this.#residency.ensure(block.memory, x, batch.tokens);
    this.#residency.writes(block.memory, out, batch.tokens);
    this.#recorder.record(block.memory, convolve, {
      rows: batch.tokens,
      columns,
      places: this.#tables.segmentRows(batch),
      x: x.address,
      xStride: x.stride,
      out: out.address,
      outStride: out.stride,
      kernel: kernel.address,
      bias: bias?.address ?? 0,
      taps,
      activated: activation ? 1 : 0,
      states: block.address + 4 * at,
      slotBytes,
    });
  }

  deltaRule(...[to, inputs, cache, layer, batch, shape]: Parameters<Backend['deltaRule']>): void {
    const { keyHeads, keyDim, valueHeads: heads, valueDim, grouped, epsilon, at = 0 } = shape;
    const [out, qkv] = [this.#owner.own(to), this.#owner.own(inputs.qkv)];
    const [alpha, beta] = [this.#owner.own(inputs.alpha), this.#owner.own(inputs.beta)];
    const [decay, shift] = [this.#owner.own(inputs.decay), this.#owner.own(inputs.shift)];
    checkHeads(keyDim, valueDim);
    if (keyDim > mostKeyDim) throw unavailable(`keys of ${keyDim}`);
    expect(heads % keyHeads === 0, `${heads} value heads with ${keyHeads} key heads`);
    expect(
      qkv.columns === 2 * keyHeads * keyDim + heads * valueDim,
      `queries, keys and values of ${qkv.columns} columns`,
    );
    expect(out.columns === heads * valueDim, `${heads} heads of ${valueDim} into ${out.columns} columns`);
    for (const { columns } of [alpha, beta]) expect(columns === heads, `${columns} gates for ${heads} heads`);
    for (const { length } of [decay, shift]) expect(length === heads, `${length} decays or shifts for ${heads} heads`);
    const { block, slotBytes } = stateOf(this.#owner.own(cache), layer, batch, at, heads * keyDim * valueDim);
    for (const input of [qkv, alpha, beta]) this.#residency.ensure(block.memory, input, batch.tokens);
    this.#residency.writes(block.memory, out, batch.tokens);
    const segments = batch.segments.length;
    this.#recorder.record(block.memory, deltaRule, {
      segments,
      places: this.#tables.segments(batch),
      qkv: qkv.address,
      stride: qkv.stride,
      alpha: alpha.address,
      beta: beta.address,
      gateStride: alpha.stride,
      decay: decay.address,
      shift: shift.address,
      out: out.address,
      outStride: out.stride,
      states: block.address + 4 * at,
      slotBytes,
      keyHeads: grouped ? -keyHeads : keyHeads,
      keyDim,
      heads,
      valueDim,
      parts: partsOf(segments, heads, valueDim, this.#recorder.threads),
      epsilon,
    });
  }

  scan(...[to, inputs, cache, layer, batch, shape]: Parameters<Backend['scan']>): void {
    const { heads, headDim, groups, stateDim, at = 0 } = shape;
    const [out, xbc, dt] = [this.#owner.own(to), this.#owner.own(inputs.xbc), this.#owner.own(inputs.dt)];
    const [decay, shift] = [this.#owner.own(inputs.decay), this.#owner.own(inputs.shift)];
    const skip = this.#owner.own(inputs.skip);
    checkHeads(stateDim, headDim);
    expect(heads % groups === 0, `${heads} heads in ${groups} groups`);
    expect(xbc.columns === heads * headDim + 2 * groups * stateDim, `x, B and C of ${xbc.columns} columns`);
    expect(out.columns === heads * headDim, `${heads} heads of ${headDim} into ${out.columns} columns`);
    for (const length of [dt.columns, decay.length, shift.length, skip.length])
      expect(length === heads, `${length} rates, decays, shifts or skips for ${heads} heads`);
    const { block, slotBytes } = stateOf(this.#owner.own(cache), layer, batch, at, heads * stateDim * headDim);
    for (const input of [xbc, dt]) this.#residency.ensure(block.memory, input, batch.tokens);
    this.#residency.writes(block.memory, out, batch.tokens);
    const segments = batch.segments.length;
    this.#recorder.record(block.memory, scan, {
      segments,
      places: this.#tables.segments(batch),
      xbc: xbc.address,
      stride: xbc.stride,
      dt: dt.address,
      dtStride: dt.stride,
      decay: decay.address,
      shift: shift.address,
      skip: skip.address,
      out: out.address,
      outStride: out.stride,
      states: block.address + 4 * at,
      slotBytes,
      heads,
      headDim,
      groups,
      stateDim,
      parts: partsOf(segments, heads, headDim, this.#recorder.threads),
    });
  }
}

/** The layer whose states the segments read and write from value `at` on. */
function stateOf(cache: WasmCache, index: number, batch: BatchLayout, at: number, size: number): StateLayer {
  const layer = cache.layers[index]!;
  if (!('stateSize' in layer)) throw new RealmError('internal_error', `layer ${index} has no state`);
  expect(at + size <= layer.stateSize, `values ${at} to ${at + size} of a state of ${layer.stateSize}`);
  const has = (slot: number | undefined) => slot !== undefined && slot >= 0 && slot < cache.slots;
  for (const { position, slot, nextSlot } of batch.segments)
    expect(
      (position === 0 || has(slot)) && has(nextSlot) && slot !== nextSlot,
      `a state from slot ${slot} to ${nextSlot} of ${cache.slots}`,
    );
  return layer;
}

/** Kernels take both in eights. */
function checkHeads(rows: number, columns: number): void {
  if (rows % 8 || columns % 8) throw unavailable(`states of ${rows} x ${columns} in a head`);
}

const unavailable = (what: string) => new RealmError('kernel_unavailable', `no kernel for ${what}`);

function expect(right: boolean, what: string): void {
  if (!right) throw new RealmError('internal_error', `not possible: ${what}`);
}

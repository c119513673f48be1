/** Records operations on rows that need no weights but vectors: norms, rotations, gates, sums, copies of rows. */
import type { Activation, Gate, RopeTable } from '../backend.ts';
import type { Context } from './context.ts';
import type { GpuVector, GpuWorkBuffer } from './handles.ts';
import { activate } from './ops/activate.ts';
import { add } from './ops/add.ts';
import { gate } from './ops/gate.ts';
import { gather } from './ops/gather.ts';
import { layerNorm } from './ops/layer-norm.ts';
import { rmsNorm } from './ops/rms-norm.ts';
import { rope } from './ops/rope.ts';
import { scale } from './ops/scale.ts';
import { softcap } from './ops/softcap.ts';
import { Rotations } from './rotations.ts';

export class Elementwise {
  readonly #context: Context;
  readonly #rotations = new Rotations();

  constructor(context: Context) {
    this.#context = context;
  }

  rmsNorm(out: GpuWorkBuffer, x: GpuWorkBuffer, weight: GpuVector, epsilon: number, rows: number, weights = 1): void {
    rmsNorm(this.#context, out, x, weight, epsilon, rows, weights);
  }

  layerNorm(
    out: GpuWorkBuffer,
    x: GpuWorkBuffer,
    weight: GpuVector,
    bias: GpuVector,
    epsilon: number,
    rows: number,
  ): void {
    layerNorm(this.#context, out, x, weight, bias, epsilon, rows);
  }

  /** Row i is at positions[i]. */
  rope(x: GpuWorkBuffer, table: RopeTable, positions: Int32Array, heads: number): void {
    rope(this.#context, x, table, this.#rotations.of(table, positions), heads);
  }

  gate(out: GpuWorkBuffer, gated: GpuWorkBuffer, up: GpuWorkBuffer, kind: Gate, rows: number): void {
    gate(this.#context, out, gated, up, kind, rows);
  }

  activate(x: GpuWorkBuffer, kind: Activation, rows: number): void {
    activate(this.#context, x, kind, rows);
  }

  add(out: GpuWorkBuffer, x: GpuWorkBuffer, rows: number): void {
    add(this.#context, out, x, rows);
  }

  scale(x: GpuWorkBuffer, factor: number, rows: number): void {
    scale(this.#context, x, factor, rows);
  }

  softcap(x: GpuWorkBuffer, cap: number, rows: number): void {
    softcap(this.#context, x, cap, rows);
  }

  gather(out: GpuWorkBuffer, x: GpuWorkBuffer, rows: Int32Array): void {
    gather(this.#context, out, x, rows);
  }
}

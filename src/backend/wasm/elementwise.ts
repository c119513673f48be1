/** Records operations on rows that need no weights but vectors: norms, rotations, gates, sums. */
import { RealmError } from '../../errors.ts';
import type { Buffer, RopeTable, Vector } from '../backend.ts';
import { areWhole, type WasmBuffer, type WasmVector } from './handles.ts';
import { add } from './ops/add.ts';
import { gate } from './ops/gate.ts';
import { layerNorm } from './ops/layer-norm.ts';
import { rmsNorm } from './ops/rms-norm.ts';
import { rope } from './ops/rope.ts';
import { scale } from './ops/scale.ts';
import { softcap } from './ops/softcap.ts';
import type { Recorder } from './recorder.ts';
import type { Residency } from './residency.ts';
import type { StepTables } from './step-tables.ts';

export class Elementwise {
  readonly #recorder: Recorder;
  readonly #residency: Residency;
  readonly #tables: StepTables;

  constructor(recorder: Recorder, residency: Residency, tables: StepTables) {
    this.#recorder = recorder;
    this.#residency = residency;
    this.#tables = tables;
  }

  rmsNorm(out: Buffer, x: Buffer, weight: Vector, epsilon: number, rows: number): void {
    if (x.columns !== weight.length && weight.length % 16)
      throw new RealmError(
        'kernel_unavailable',
        `no norm kernel for groups of ${weight.length} columns: multiples of 16 only`,
      );
    const [target, source] = [out as WasmBuffer, x as WasmBuffer];
    const memory = this.#residency.through(out, x, rows);
    this.#recorder.recordRows(memory, rmsNorm, areWhole(target, source), {
      rows,
      out: target.address,
      outStride: target.stride,
      x: source.address,
      xStride: source.stride,
      weight: (weight as WasmVector).address,
      columns: weight.length,
      groups: x.columns / weight.length,
      epsilon,
    });
  }

  layerNorm(out: Buffer, x: Buffer, weight: Vector, bias: Vector, epsilon: number, rows: number): void {
    const [target, source] = [out as WasmBuffer, x as WasmBuffer];
    const memory = this.#residency.through(out, x, rows);
    this.#recorder.recordRows(memory, layerNorm, areWhole(target, source), {
      rows,
      out: target.address,
      outStride: target.stride,
      x: source.address,
      xStride: source.stride,
      weight: (weight as WasmVector).address,
      bias: (bias as WasmVector).address,
      columns: weight.length,
      epsilon,
    });
  }

  rope(x: Buffer, table: RopeTable, positions: Int32Array, heads: number): void {
    const buffer = x as WasmBuffer;
    const { dimensions, headDim, style } = table;
    const halves = style === 'halves';
    const memory = this.#residency.through(x, x, positions.length);
    this.#recorder.recordRows(memory, rope, areWhole(buffer), {
      rows: positions.length,
      halves: halves ? 1 : 0,
      x: buffer.address,
      stride: buffer.stride,
      table: this.#tables.rotations(table, positions),
      tableStride: dimensions * (halves ? 4 : 8),
      fours: halves ? dimensions / 8 : dimensions / 4,
      heads,
      headBytes: headDim * 4,
    });
  }

  gate(out: Buffer, gated: Buffer, up: Buffer, kind: 'silu' | 'gelu', rows: number): void {
    const [o, g, u] = [out as WasmBuffer, gated as WasmBuffer, up as WasmBuffer];
    const memory = this.#residency.home(gated);
    this.#residency.ensure(memory, up, rows);
    this.#residency.writes(memory, out, rows);
    this.#recorder.recordRows(memory, gate, areWhole(o, g, u), {
      rows,
      gelu: kind === 'gelu' ? 1 : 0,
      out: o.address,
      gate: g.address,
      up: u.address,
      stride: o.stride,
      eights: o.stride / 32,
    });
  }

  add(out: Buffer, x: Buffer, rows: number): void {
    const [o, i] = [out as WasmBuffer, x as WasmBuffer];
    const memory = this.#residency.home(x);
    this.#residency.writes(memory, out, rows, true);
    const fields = { rows, out: o.address, x: i.address, stride: o.stride, eights: o.stride / 32 };
    this.#recorder.recordRows(memory, add, areWhole(o, i), fields);
  }

  scale(x: Buffer, factor: number, rows: number): void {
    const buffer = x as WasmBuffer;
    const { address, stride } = buffer;
    const memory = this.#residency.through(x, x, rows);
    const fields = { rows, x: address, stride, eights: stride / 32, factor };
    this.#recorder.recordRows(memory, scale, areWhole(buffer), fields);
  }

  softcap(x: Buffer, cap: number, rows: number): void {
    const buffer = x as WasmBuffer;
    const { address, stride } = buffer;
    const memory = this.#residency.through(x, x, rows);
    const inverse = Math.fround(1 / Math.fround(cap));
    const fields = { rows, x: address, stride, eights: stride / 32, cap, inverse };
    this.#recorder.recordRows(memory, softcap, areWhole(buffer), fields);
  }
}

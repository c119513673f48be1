/** Records operations on rows that need no weights but vectors: norms, rotations, gates, sums. */
import { RealmError } from '../../errors.ts';
import { type Activation, everyActivation, everyGate, type Gate, type RopeTable } from '../backend.ts';
import { areWhole, type WasmBuffer, type WasmVector } from './handles.ts';
import { activate } from './ops/activate.ts';
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

  rmsNorm(out: WasmBuffer, x: WasmBuffer, weight: WasmVector, epsilon: number, rows: number, weights = 1): void {
    const columns = weight.length / weights;
    if (x.columns !== columns && columns % 16)
      throw new RealmError(
        'kernel_unavailable',
        `no norm kernel for groups of ${columns} columns: multiples of 16 only`,
      );
    const memory = this.#residency.through(out, x, rows);
    this.#recorder.recordRows(memory, rmsNorm, areWhole(out, x), {
      rows,
      out: out.address,
      outStride: out.stride,
      x: x.address,
      xStride: x.stride,
      weight: weight.address,
      weights,
      columns,
      groups: x.columns / columns,
      epsilon,
    });
  }

  layerNorm(out: WasmBuffer, x: WasmBuffer, weight: WasmVector, bias: WasmVector, epsilon: number, rows: number): void {
    const memory = this.#residency.through(out, x, rows);
    this.#recorder.recordRows(memory, layerNorm, areWhole(out, x), {
      rows,
      out: out.address,
      outStride: out.stride,
      x: x.address,
      xStride: x.stride,
      weight: weight.address,
      bias: bias.address,
      columns: weight.length,
      epsilon,
    });
  }

  rope(x: WasmBuffer, table: RopeTable, positions: Int32Array, heads: number): void {
    const { dimensions, headDim, style } = table;
    const halves = style === 'halves';
    const memory = this.#residency.through(x, x, positions.length);
    this.#recorder.recordRows(memory, rope, areWhole(x), {
      rows: positions.length,
      halves: halves ? 1 : 0,
      x: x.address,
      stride: x.stride,
      table: this.#tables.rotations(table, positions),
      tableStride: dimensions * (halves ? 4 : 8),
      fours: halves ? dimensions / 8 : dimensions / 4,
      heads,
      headBytes: headDim * 4,
    });
  }

  gate(out: WasmBuffer, gated: WasmBuffer, up: WasmBuffer, kind: Gate, rows: number): void {
    const memory = this.#residency.residentMemory(gated);
    this.#residency.ensure(memory, up, rows);
    this.#residency.writes(memory, out, rows);
    this.#recorder.recordRows(memory, gate, areWhole(out, gated, up), {
      rows,
      kind: everyGate.indexOf(kind),
      out: out.address,
      gate: gated.address,
      up: up.address,
      stride: out.stride,
      eights: out.stride / 32,
    });
  }

  activate(x: WasmBuffer, kind: Activation, rows: number): void {
    const { address, stride } = x;
    const memory = this.#residency.through(x, x, rows);
    const fields = { rows, kind: everyActivation.indexOf(kind), x: address, stride, eights: stride / 32 };
    this.#recorder.recordRows(memory, activate, areWhole(x), fields);
  }

  add(out: WasmBuffer, x: WasmBuffer, rows: number): void {
    const memory = this.#residency.residentMemory(x);
    this.#residency.writes(memory, out, rows, true);
    const fields = { rows, out: out.address, x: x.address, stride: out.stride, eights: out.stride / 32 };
    this.#recorder.recordRows(memory, add, areWhole(out, x), fields);
  }

  scale(x: WasmBuffer, factor: number, rows: number): void {
    const { address, stride } = x;
    const memory = this.#residency.through(x, x, rows);
    const fields = { rows, x: address, stride, eights: stride / 32, factor };
    this.#recorder.recordRows(memory, scale, areWhole(x), fields);
  }

  softcap(x: WasmBuffer, cap: number, rows: number): void {
    const { address, stride } = x;
    const memory = this.#residency.through(x, x, rows);
    const inverse = Math.fround(1 / Math.fround(cap));
    const fields = { rows, x: address, stride, eights: stride / 32, cap, inverse };
    this.#recorder.recordRows(memory, softcap, areWhole(x), fields);
  }
}

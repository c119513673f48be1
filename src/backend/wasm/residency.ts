/**
 * Which memories hold what was last written to a buffer. A buffer has the same address in every memory; operations work
 * in the memory of their weights or of their input, and rows are transferred where the next operation needs them.
 */
import type { WasmBuffer } from './handles.ts';
import { transfer } from './ops/transfer.ts';
import type { Recorder } from './recorder.ts';

export class Residency {
  readonly #recorder: Recorder;

  constructor(recorder: Recorder) {
    this.#recorder = recorder;
  }

  /** A memory that holds `buffer`. */
  residentMemory(buffer: WasmBuffer): number {
    return 31 - Math.clz32(buffer.whole.valid);
  }

  /** Sees to it that memory `memory` holds rows of `buffer` as they were last written. */
  ensure(memory: number, buffer: WasmBuffer, rows: number): void {
    const { whole, stride } = buffer;
    if (whole.valid & (1 << memory)) return;
    // Behind a view's rows are others that count as transferred too.
    const partial = isView(buffer) ? whole.rows : Math.min(rows, whole.rows);
    const from = this.residentMemory(buffer);
    this.#recorder.record(memory, transfer, { rows: partial, address: whole.address, stride, bytes: stride, from });
    whole.valid |= 1 << memory;
  }

  /** Says that `buffer` is written in `memory`; what a write does not cover, or adds to, is transferred before. */
  writes(memory: number, buffer: WasmBuffer, rows: number, keeps = false): void {
    const { whole } = buffer;
    const view = isView(buffer);
    if (keeps || view) this.ensure(memory, buffer, view ? whole.rows : rows);
    whole.valid = 1 << memory;
  }

  /** The memory in which an operation from `x` to `out` works: where x is. */
  through(out: WasmBuffer, x: WasmBuffer, rows: number): number {
    const memory = this.residentMemory(x);
    this.writes(memory, out, rows);
    return memory;
  }
}

const isView = ({ whole, address, rows }: WasmBuffer): boolean => address !== whole.address || rows !== whole.rows;

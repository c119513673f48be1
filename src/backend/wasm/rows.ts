/** Records copies of rows: out of an embedding table, and out of another buffer. */
import { kernelForm, packedBytes, unpackRow } from '../../kernels/layout.ts';
import { formats } from '../../quant/formats.ts';
import type { WasmBuffer, WasmMatrix } from './handles.ts';
import type { Memories } from './memories.ts';
import { copy } from './ops/copy.ts';
import type { Recorder } from './recorder.ts';
import type { Residency } from './residency.ts';
import type { StepTables } from './step-tables.ts';

export class Rows {
  readonly #memories: Memories;
  readonly #recorder: Recorder;
  readonly #residency: Residency;
  readonly #tables: StepTables;

  constructor(memories: Memories, recorder: Recorder, residency: Residency, tables: StepTables) {
    this.#memories = memories;
    this.#recorder = recorder;
    this.#residency = residency;
    this.#tables = tables;
  }

  /** out[i] = row ids[i] of table, which is unpacked here and now; zeros for an id that is none. */
  embed(out: WasmBuffer, table: WasmMatrix, ids: Int32Array): void {
    const { layout, block, columns, type, rows } = table;
    this.#recorder.begin();
    const memory = this.#memories.bytes(block.memory);
    const packed = memory.subarray(block.address, block.address + packedBytes(layout, rows, columns));
    const bytes = new Uint8Array((columns / layout.blockSize) * layout.blockBytes);
    const at = this.#tables.reserve(ids.length * columns * 4);
    const address = (_: number, i: number) => at + i * columns * 4;
    for (const [i, id] of ids.entries()) {
      const target = new Float32Array(memory.buffer, address(id, i), columns);
      if (id < 0) {
        target.fill(0);
        continue;
      }
      unpackRow(packed, layout, columns, id, bytes);
      kernelForm(formats[type]).decode(bytes, target, columns);
    }
    this.#copy(block.memory, out, Int32Array.from(ids, address), columns);
  }

  /** out[i] = x[rows[i]]. */
  gather(out: WasmBuffer, x: WasmBuffer, rows: Int32Array): void {
    const { address, stride, columns } = x;
    const sources = rows.map(row => address + row * stride);
    this.#copy(this.#residency.residentMemory(x), out, sources, columns);
  }

  #copy(memory: number, out: WasmBuffer, sources: Int32Array, columns: number): void {
    const { address, stride } = out;
    this.#residency.writes(memory, out, sources.length);
    this.#recorder.record(memory, copy, {
      rows: sources.length,
      out: address,
      outStride: stride,
      sources: this.#tables.words(sources),
      bytes: columns * 4,
    });
  }
}

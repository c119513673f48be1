/** Records copies of rows: out of an embedding table, and out of another buffer. */
import { packedBytes, unpackRow } from '../../kernels/layout.ts';
import { formats } from '../../quant/formats.ts';
import type { Buffer, Matrix } from '../backend.ts';
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

  /** out[i] = row tokens[i] of table, which is unpacked here and now. */
  embed(out: Buffer, table: Matrix, tokens: Int32Array): void {
    const { layout, block, columns, type, rows } = table as WasmMatrix;
    this.#recorder.begin();
    const memory = this.#memories.bytes(block.memory);
    const packed = memory.subarray(block.address, block.address + packedBytes(layout, rows, columns));
    const bytes = new Uint8Array((columns / layout.blockSize) * layout.blockBytes);
    const at = this.#tables.reserve(tokens.length * columns * 4);
    const address = (_: number, i: number) => at + i * columns * 4;
    tokens.forEach((token, i) => {
      unpackRow(packed, layout, columns, token, bytes);
      const target = new Float32Array(memory.buffer, address(token, i), columns);
      formats[type].decode(bytes, target, columns);
    });
    this.#copy(block.memory, out, Int32Array.from(tokens, address), columns);
  }

  /** out[i] = x[rows[i]]. */
  gather(out: Buffer, x: Buffer, rows: Int32Array): void {
    const { address, stride, columns } = x as WasmBuffer;
    const sources = rows.map(row => address + row * stride);
    this.#copy(this.#residency.home(x), out, sources, columns);
  }

  #copy(memory: number, out: Buffer, sources: Int32Array, columns: number): void {
    const { address, stride } = out as WasmBuffer;
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

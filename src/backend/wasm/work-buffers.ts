/** Work buffers: made, cut into views, written and read row by row. */
import { RealmError } from '../../errors.ts';
import type { WasmBuffer, WasmOwner } from './handles.ts';
import { align, type Memories } from './memories.ts';
import type { Residency } from './residency.ts';

export class WorkBuffers {
  readonly #owner: WasmOwner;
  readonly #memories: Memories;
  readonly #residency: Residency;
  #bytes = 0;

  constructor(owner: WasmOwner, memories: Memories, residency: Residency) {
    this.#owner = owner;
    this.#memories = memories;
    this.#residency = residency;
  }

  /** Bytes of all of them. */
  get bytes(): number {
    return this.#bytes;
  }

  create(rows: number, columns: number): WasmBuffer {
    const stride = align(columns, 16) * 4;
    const address = this.#memories.shared(rows * stride, 'a work buffer');
    this.#bytes += rows * stride;
    return { owner: this.#owner, rows, columns, address, stride, whole: { address, rows, valid: 1 } };
  }

  /** Rows [first, first + count) of a buffer. */
  view({ address, stride, columns, rows, whole }: WasmBuffer, first: number, count: number): WasmBuffer {
    if (!(first >= 0 && count >= 0 && first + count <= rows)) {
      throw new RealmError('internal_error', `rows ${first} to ${first + count} of a buffer of ${rows}`);
    }
    return { owner: this.#owner, rows: count, columns, address: address + first * stride, stride, whole };
  }

  /** A row as it lies in memory. */
  row(buffer: WasmBuffer, row: number): Float32Array {
    const { buffer: bytes } = this.#memories.bytes(this.#residency.residentMemory(buffer));
    return new Float32Array(bytes as ArrayBuffer, buffer.address + row * buffer.stride, buffer.columns);
  }

  read(buffer: WasmBuffer, rows: Int32Array, into: Float32Array): void {
    for (let i = 0; i < rows.length; i++) into.set(this.row(buffer, rows[i]), i * buffer.columns);
  }

  write(buffer: WasmBuffer, row: number, values: Float32Array): void {
    this.row(buffer, row).set(values);
    buffer.whole.valid = 1 << this.#residency.residentMemory(buffer);
  }
}

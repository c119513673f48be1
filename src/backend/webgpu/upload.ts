/** Brings weights onto the device, and gives their room back. */
import { RealmError } from '../../errors.ts';
import { checkScales } from '../../quant/check-scales.ts';
import type { MatrixSource } from '../backend.ts';
import type { Context } from './context.ts';
import { allocate, checkFault, usage } from './device.ts';
import type { GpuMatrix, MatrixPart } from './handles.ts';
import { floatQuads, type Layout, layoutOf, type PlaneName, planeNames, planeQuads, rowsTogether } from './layout.ts';
import { packRows } from './pack.ts';

/** Bytes that are read from the file at once. */
const pieceBytes = 8 << 20;
/** No binding is larger: indices of drivers are 32 bits, some signed. */
const mostBufferBytes = 2 ** 31;

export class Upload {
  readonly #context: Context;
  readonly #mostBytes: number;
  #bytes = 0;

  /** `mostBytes`: of a buffer of weights. */
  constructor(context: Context, mostBytes = mostBufferBytes) {
    const { maxStorageBufferBindingSize, maxBufferSize } = context.device.limits;
    this.#context = context;
    this.#mostBytes = Math.min(mostBytes, maxStorageBufferBindingSize, maxBufferSize);
  }

  /** Bytes of weights. */
  get bytes(): number {
    return this.#bytes;
  }

  async matrix(source: MatrixSource): Promise<GpuMatrix> {
    const { name, type, rows, columns } = source;
    const layout = layoutFor(source);
    const parts: MatrixPart[] = [];
    const bytes = () => parts.reduce((sum, { buffer }) => sum + buffer.size, 0);
    try {
      const most = this.#rowsOfPart(layout, source);
      for (let first = 0; first < rows; first += most) {
        const part = await this.#create(layout, source, first, Math.min(most, rows - first));
        parts.push(part);
        this.#bytes += part.buffer.size;
        await this.#fill(part, layout, source);
      }
    } catch (error) {
      this.#destroy(parts);
      throw error;
    }
    return { owner: this.#context.owner, name, type, rows, columns, layout, parts, bytes: bytes() };
  }

  /** Waits until what was written has arrived. */
  async arrived(): Promise<void> {
    const { device } = this.#context;
    await device.gpu.queue.onSubmittedWorkDone();
    checkFault(device, true);
  }

  free(matrix: GpuMatrix): void {
    matrix.owner = undefined;
    this.#destroy(matrix.parts);
  }

  #destroy(parts: readonly MatrixPart[]): void {
    for (const { buffer } of parts) {
      this.#context.recorder.forget(buffer);
      this.#bytes -= buffer.size;
      buffer.destroy();
    }
  }

  #rowsOfPart(layout: Layout, { name, columns }: MatrixSource): number {
    const together = partSize(layout, rowsTogether, columns).quads * 16;
    const most = Math.floor(this.#mostBytes / together) * rowsTogether;
    if (most > 0) return most;
    const why = `${rowsTogether} rows take ${together} bytes, and the GPU binds ${this.#mostBytes} at once`;
    throw new RealmError('out_of_memory', `tensor ${name}: ${why}`);
  }

  async #create(layout: Layout, source: MatrixSource, first: number, rows: number): Promise<MatrixPart> {
    const { planes, quads } = partSize(layout, rows, source.columns);
    const kind = usage.storage | usage.copyDst;
    const { buffer, refused } = allocate(this.#context.device, source.name, quads * 16, kind);
    if (!(await refused)) return { buffer, first, rows, planes };
    buffer.destroy();
    throw new RealmError('out_of_memory', `tensor ${source.name}: the GPU has no ${quads * 16} bytes left for it`);
  }

  /** Reads rows piece by piece; the queue copies what it is given, so each piece is waited for. */
  async #fill({ buffer, first, rows, planes }: MatrixPart, layout: Layout, source: MatrixSource): Promise<void> {
    const { queue } = this.#context.device.gpu;
    const { name, type, columns } = source;
    const rowBytes = (columns / layout.blockSize) * layout.blockBytes;
    const most = Math.max(rowsTogether, Math.floor(pieceBytes / rowBytes / rowsTogether) * rowsTogether);
    const bytes = new Uint8Array(Math.min(most, rows) * rowBytes);
    for (let row = 0; row < rows; row += most) {
      const count = Math.min(most, rows - row);
      const piece = bytes.subarray(0, count * rowBytes);
      await source.readRows(first + row, count, piece);
      checkScales(name, type, piece);
      const packed = packRows(layout, piece, count, columns);
      for (const plane of planeNames) {
        const words = packed[plane];
        if (words) queue.writeBuffer(buffer, 16 * planes[plane] + offsetIn(layout, plane, row, columns), words);
      }
      queue.submit([]);
      if (row + most < rows) await queue.onSubmittedWorkDone();
    }
  }
}

/** Throws `model_invalid`. */
function layoutFor({ name, type, columns }: MatrixSource): Layout {
  const layout = layoutOf(type);
  if (columns % layout.blockSize === 0) return layout;
  const why = `${columns} columns are no multiple of ${layout.blockSize}, a block of ${type}`;
  throw new RealmError('model_invalid', `tensor ${name}: ${why}; the file is damaged`);
}

/** Where the planes of so many rows begin, and how long they are together, in words of 16 bytes. */
function partSize(layout: Layout, rows: number, columns: number) {
  const planes: Record<PlaneName, number> = { low: 0, high: 0, parts: 0, partsHigh: 0, numbers: 0 };
  const together = Math.ceil(rows / rowsTogether) * rowsTogether;
  if (layout.blockSize === 1) return { planes, quads: together * floatQuads(layout, columns) };
  let quads = 0;
  for (const name of planeNames) {
    planes[name] = quads;
    const plane = layout.planes[name];
    if (plane) quads += planeQuads(plane, layout, rows, columns);
  }
  return { planes, quads };
}

/** Bytes of a plane before row `row`, a multiple of {@link rowsTogether}. */
function offsetIn(layout: Layout, name: PlaneName, row: number, columns: number): number {
  if (layout.blockSize === 1) return 16 * row * floatQuads(layout, columns);
  return (row * (columns / layout.blockSize) * layout.planes[name]!.bits) / 8;
}

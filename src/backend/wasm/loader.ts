/** Brings matrices from their source into the packed layout: while one piece is read, the one before is packed. */
import { RealmError } from '../../errors.ts';
import { groupRows } from '../../kernels/layout.ts';
import { checkScales } from '../../quant/check-scales.ts';
import { formats } from '../../quant/formats.ts';
import type { MatrixSource } from '../backend.ts';
import type { WasmMatrix } from './handles.ts';
import { pack } from './ops/pack.ts';
import { transfer } from './ops/transfer.ts';
import type { Recorder } from './recorder.ts';

/** Two halves: one is read into while the other is packed. */
export const stagingBytes = 16 << 20;

/** Rows that are read and not yet packed. */
interface Piece {
  readonly matrix: WasmMatrix;
  readonly staging: number;
  readonly first: number;
  readonly count: number;
}

export class Loader {
  readonly #staging: number;
  readonly #bytes: Uint8Array;
  readonly #recorder: Recorder;
  #half = 0;
  #unpacked: Piece | undefined;
  /** Matrices share the staging area: they are read one after the other. */
  #turn: Promise<void> = Promise.resolve();

  /** `staging`: an address that is good in every memory, whose bytes of the first memory are in `bytes`. */
  constructor(staging: number, bytes: Uint8Array, recorder: Recorder) {
    this.#staging = staging;
    this.#bytes = bytes;
    this.#recorder = recorder;
  }

  /** Resolves when the source has been read; the last piece is packed by the next call, or by flush(). */
  load(matrix: WasmMatrix, source: MatrixSource): Promise<void> {
    return this.#queue(async () => {
      const { most, rowBytes } = pieceOf(matrix);
      for (let first = 0; first < matrix.rows; first += most) {
        const count = Math.min(most, matrix.rows - first);
        this.#half = stagingBytes / 2 - this.#half;
        const staging = this.#staging + this.#half;
        const reading = source.readRows(first, count, this.#bytes.subarray(staging, staging + count * rowBytes));
        try {
          this.flush();
        } catch (error) {
          await reading.catch(() => {});
          throw error;
        }
        await reading;
        this.#unpacked = { matrix, staging, first, count };
      }
    });
  }

  /** Resolves when everything is packed. Throws what was wrong with it. */
  settle(): Promise<void> {
    return this.#queue(async () => this.flush());
  }

  #queue(work: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }

  /** Packs what is read. No command of a step may be recorded yet. */
  flush(): void {
    const piece = this.#unpacked;
    if (!piece) return;
    this.#unpacked = undefined;
    const { matrix, staging, first, count } = piece;
    const { name, block, kind, blocks, groupStride } = matrix;
    const { rowBytes } = pieceOf(matrix);
    const groups = Math.ceil(count / groupRows);
    const bytes = this.#bytes.subarray(staging, staging + groups * groupRows * rowBytes);
    bytes.fill(0, count * rowBytes);
    const { memory, address } = block;
    const whole = { rows: 1, address: staging, stride: 0, bytes: bytes.length, from: 0 };
    if (memory > 0) this.#recorder.record(memory, transfer, whole);
    const target = address + (first / groupRows) * groupStride;
    const rows = { type: kind, rows: count, source: staging, rowBytes, blocks, target, groupStride };
    this.#recorder.record(memory, pack, rows);
    try {
      this.#recorder.execute();
    } catch (error) {
      checkScales(name, matrix.type, bytes);
      throw error;
    }
  }
}

/** Bytes of a row, and how many rows a half of the staging area takes. */
function pieceOf({ name, type, blocks }: WasmMatrix): { rowBytes: number; most: number } {
  const rowBytes = blocks * formats[type].blockBytes;
  const most = Math.floor(stagingBytes / 2 / (rowBytes * groupRows)) * groupRows;
  if (most === 0) throw new RealmError('model_invalid', `tensor ${name}: a row of ${rowBytes} bytes is too long`);
  return { rowBytes, most };
}

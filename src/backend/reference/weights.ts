import { RealmError } from '../../errors.ts';
import { checkScales } from '../../quant/check-scales.ts';
import { byteLength, formats } from '../../quant/formats.ts';
import type { QuantType } from '../../quant/types.ts';
import type { Matrix, MatrixSource } from '../backend.ts';
import type { Owned } from '../owner.ts';
import { unpackRow, type WeightRow } from './dot.ts';

/** A weight matrix as the file has it. */
export class ReferenceMatrix implements Matrix, Owned {
  owner: object | undefined;
  readonly name: string;
  readonly type: QuantType;
  readonly rows: number;
  readonly columns: number;
  readonly bytes: Uint8Array;

  private constructor(source: MatrixSource, bytes: Uint8Array, owner: object) {
    this.owner = owner;
    this.name = source.name;
    this.type = source.type;
    this.rows = source.rows;
    this.columns = source.columns;
    this.bytes = bytes;
  }

  static async load(source: MatrixSource, owner: object): Promise<ReferenceMatrix> {
    const { blockSize } = formats[source.type];
    if (source.columns % blockSize !== 0) {
      const why = `has ${source.columns} columns, not a multiple of ${source.type}'s block of ${blockSize}`;
      throw new RealmError('model_invalid', `tensor ${source.name} ${why}; the file is damaged`);
    }
    const bytes = new Uint8Array(byteLength(source.type, source.rows * source.columns));
    await source.readRows(0, source.rows, bytes);
    checkScales(source.name, source.type, bytes);
    return new ReferenceMatrix(source, bytes, owner);
  }

  /** Row `row` ready for products. */
  unpack(row: number): WeightRow {
    return unpackRow(this.type, this.#row(row), this.columns);
  }

  /** Row `row` as floats. */
  decode(row: number): Float32Array {
    const values = new Float32Array(this.columns);
    formats[this.type].decode(this.#row(row), values, this.columns);
    return values;
  }

  #row(row: number): Uint8Array {
    const length = byteLength(this.type, this.columns);
    return this.bytes.subarray(row * length, (row + 1) * length);
  }
}

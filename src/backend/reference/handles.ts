/** What the reference knows of the things that its callers hold: the numbers themselves. */
import type { Buffer, Routing, TokenBuffer, Vector } from '../backend.ts';
import type { Owned } from '../owner.ts';
import type { ReferenceKvCache } from './kv-cache.ts';
import type { ReferenceMatrix } from './weights.ts';

export interface Handles {
  readonly matrix: ReferenceMatrix;
  readonly vector: ReferenceVector;
  readonly buffer: ReferenceBuffer;
  readonly tokens: ReferenceTokens;
  readonly routing: ReferenceRouting;
  readonly cache: ReferenceKvCache;
}

export class ReferenceBuffer implements Buffer {
  readonly owner: object;
  readonly rows: number;
  readonly columns: number;
  readonly values: Float32Array;

  constructor(owner: object, rows: number, columns: number, values: Float32Array = new Float32Array(rows * columns)) {
    this.owner = owner;
    this.rows = rows;
    this.columns = columns;
    this.values = values;
  }

  view(first: number, count: number): ReferenceBuffer {
    if (!(first >= 0 && count >= 0 && first + count <= this.rows)) {
      throw new RangeError(`rows ${first} to ${first + count} of a buffer of ${this.rows}`);
    }
    const values = this.values.subarray(first * this.columns, (first + count) * this.columns);
    return new ReferenceBuffer(this.owner, count, this.columns, values);
  }

  row(row: number): Float32Array {
    if (!(row >= 0 && row < this.rows)) throw new RangeError(`row ${row} of a buffer of ${this.rows}`);
    return this.values.subarray(row * this.columns, (row + 1) * this.columns);
  }

  /** The first `count` rows. */
  first(count: number): Float32Array[] {
    return Array.from({ length: count }, (_, row) => this.row(row));
  }
}

export interface ReferenceVector extends Vector, Owned {
  readonly values: Float32Array;
}

export interface ReferenceTokens extends TokenBuffer, Owned {
  readonly ids: Int32Array;
}

export interface ReferenceRouting extends Routing, Owned {
  readonly chosen: Int32Array;
  readonly weights: Float32Array;
  readonly slotOf: Int32Array;
  readonly tokenOf: Int32Array;
  readonly starts: Int32Array;
}

/** A row cut into groups of `width` columns: heads, say. */
export function groups(row: Float32Array, width: number): Float32Array[] {
  return Array.from({ length: row.length / width }, (_, i) => row.subarray(i * width, (i + 1) * width));
}

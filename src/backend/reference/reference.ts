import { RealmError } from '../../errors.ts';
import type {
  AttentionOptions,
  Backend,
  BatchLayout,
  Buffer,
  GiveWay,
  KvCache,
  KvShape,
  Matrix,
  MatrixSource,
  MemoryStats,
  RopeSpec,
  RopeTable,
  Routing,
  Vector,
} from '../backend.ts';
import { assignSlots, chooseExperts } from '../routing.ts';
import { attend } from './attention.ts';
import { dot, type Input, prepareInput } from './dot.ts';
import { ReferenceKvCache } from './kv-cache.ts';
import { gelu, silu, softcap } from './math.ts';
import { layerNorm, rmsNorm } from './norm.ts';
import { rotate } from './rope.ts';
import { ReferenceMatrix } from './weights.ts';

const f = Math.fround;

/** The oracle: every operation written out naively, one row after the other. Slow; needs nothing but JavaScript. */
export function createReferenceBackend(): Backend {
  return new ReferenceBackend();
}

class ReferenceBuffer implements Buffer {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float32Array;

  constructor(rows: number, columns: number, values: Float32Array = new Float32Array(rows * columns)) {
    this.rows = rows;
    this.columns = columns;
    this.values = values;
  }

  view(first: number, count: number): ReferenceBuffer {
    if (!(first >= 0 && count >= 0 && first + count <= this.rows)) {
      throw new RangeError(`rows ${first} to ${first + count} of a buffer of ${this.rows}`);
    }
    const values = this.values.subarray(first * this.columns, (first + count) * this.columns);
    return new ReferenceBuffer(count, this.columns, values);
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

interface ReferenceRouting extends Routing {
  readonly chosen: Int32Array;
  readonly weights: Float32Array;
  readonly slotOf: Int32Array;
  readonly tokenOf: Int32Array;
  readonly starts: Int32Array;
}

const rowsOf = (buffer: Buffer, count: number) => (buffer as ReferenceBuffer).first(count);
const rowOf = (buffer: Buffer, row: number) => (buffer as ReferenceBuffer).row(row);
const valuesOf = (vector: Vector) => vector as Float32Array;

/** A row cut into groups of `width` columns: heads, say. */
function groups(row: Float32Array, width: number): Float32Array[] {
  return Array.from({ length: row.length / width }, (_, i) => row.subarray(i * width, (i + 1) * width));
}

class ReferenceBackend implements Backend {
  readonly name = 'reference';
  readonly #recorded: (() => void)[] = [];
  readonly #memory = { weights: 0, kvCache: 0, work: 0 };

  async matrix(source: MatrixSource): Promise<Matrix> {
    const matrix = await ReferenceMatrix.load(source);
    this.#memory.weights += matrix.bytes.byteLength;
    return matrix;
  }

  async loaded(): Promise<void> {}

  free(matrix: Matrix): void {
    this.#memory.weights -= (matrix as ReferenceMatrix).bytes.byteLength;
  }

  view(buffer: Buffer, first: number, count: number): Buffer {
    return (buffer as ReferenceBuffer).view(first, count);
  }

  vector(values: Float32Array): Vector {
    this.#memory.weights += values.byteLength;
    return values.slice();
  }

  buffer(rows: number, columns: number): Buffer {
    this.#memory.work += rows * columns * 4;
    return new ReferenceBuffer(rows, columns);
  }

  kvCache(shape: KvShape): KvCache {
    const cache = new ReferenceKvCache(shape);
    this.#memory.kvCache += cache.pageBytes * cache.pages;
    return cache;
  }

  ropeTable(spec: RopeSpec): RopeTable {
    return spec;
  }

  embed(out: Buffer, table: Matrix, tokens: Int32Array): void {
    this.#record(() => {
      tokens.forEach((token, i) => {
        rowOf(out, i).set((table as ReferenceMatrix).decode(token));
      });
    });
  }

  matmul(
    out: Buffer,
    matrix: Matrix,
    x: Buffer,
    rows: number,
    options: { bias?: Vector; accumulate?: boolean } = {},
  ): void {
    checkProduct(out, matrix, x);
    this.#record(() => {
      const inputs = rowsOf(x, rows).map(row => prepareInput(matrix.type, row));
      multiply(rowsOf(out, rows), matrix as ReferenceMatrix, inputs, options);
    });
  }

  matmuls(products: readonly { out: Buffer; matrix: Matrix; bias?: Vector }[], x: Buffer, rows: number): void {
    for (const { out, matrix, bias } of products) this.matmul(out, matrix, x, rows, { bias });
  }

  rmsNorm(out: Buffer, x: Buffer, weight: Vector, epsilon: number, rows: number): void {
    this.#record(() => {
      for (let i = 0; i < rows; i++) {
        const targets = groups(rowOf(out, i), weight.length);
        const sources = groups(rowOf(x, i), weight.length);
        sources.forEach((source, g) => {
          rmsNorm(targets[g], source, valuesOf(weight), epsilon);
        });
      }
    });
  }

  layerNorm(out: Buffer, x: Buffer, weight: Vector, bias: Vector, epsilon: number, rows: number): void {
    this.#record(() => {
      for (let i = 0; i < rows; i++) layerNorm(rowOf(out, i), rowOf(x, i), valuesOf(weight), valuesOf(bias), epsilon);
    });
  }

  rope(x: Buffer, rope: RopeTable, positions: Int32Array, heads: number): void {
    this.#record(() => {
      positions.forEach((position, i) => {
        for (const head of groups(rowOf(x, i), x.columns / heads)) rotate(head, position, rope);
      });
    });
  }

  storeKv(cache: KvCache, layer: number, k: Buffer, v: Buffer, batch: BatchLayout): void {
    this.#record(() => {
      (cache as ReferenceKvCache).store(layer, rowsOf(k, batch.tokens), rowsOf(v, batch.tokens), batch);
    });
  }

  attention(
    out: Buffer,
    q: Buffer,
    cache: KvCache,
    layer: number,
    batch: BatchLayout,
    options: AttentionOptions,
  ): void {
    const { headDim, kvHeads } = cache;
    const sharing = options.heads / kvHeads;
    this.#record(() => {
      for (const segment of batch.segments) {
        for (let head = 0; head < options.heads; head++) {
          const kv = (cache as ReferenceKvCache).head(layer, segment, Math.floor(head / sharing));
          for (let i = 0; i < segment.count; i++) {
            const part = (buffer: Buffer) => groups(rowOf(buffer, segment.start + i), headDim)[head];
            attend(part(out), part(q), segment.position + i, kv, options);
          }
        }
      }
    });
  }

  gate(out: Buffer, gate: Buffer, up: Buffer, kind: 'silu' | 'gelu', rows: number): void {
    const activation = kind === 'silu' ? silu : gelu;
    this.#each(out, rows, (row, i) => {
      const gates = rowOf(gate, i);
      const ups = rowOf(up, i);
      for (let c = 0; c < row.length; c++) row[c] = f(activation(gates[c]) * ups[c]);
    });
  }

  add(out: Buffer, x: Buffer, rows: number): void {
    this.#each(out, rows, (row, i) => {
      rowOf(x, i).forEach((value, c) => {
        row[c] = f(row[c] + value);
      });
    });
  }

  scale(x: Buffer, factor: number, rows: number): void {
    this.#each(x, rows, row => {
      row.forEach((value, c) => {
        row[c] = f(value * f(factor));
      });
    });
  }

  softcap(x: Buffer, cap: number, rows: number): void {
    const inverse = f(1 / f(cap));
    this.#each(x, rows, row => {
      row.forEach((value, c) => {
        row[c] = softcap(value, cap, inverse);
      });
    });
  }

  gather(out: Buffer, x: Buffer, rows: Int32Array): void {
    this.#record(() => {
      rows.forEach((row, i) => {
        rowOf(out, i).set(rowOf(x, row));
      });
    });
  }

  routing(tokens: number, experts: number, used: number): ReferenceRouting {
    const slots = () => new Int32Array(tokens * used);
    const weights = new Float32Array(tokens * used);
    const table = { slotOf: slots(), tokenOf: slots(), starts: new Int32Array(experts + 1) };
    return { experts, used, chosen: slots(), weights, ...table };
  }

  route(routing: Routing, logits: Buffer, rows: number): void {
    const { used, chosen, weights, ...table } = routing as ReferenceRouting;
    this.#record(() => {
      rowsOf(logits, rows).forEach((scores, row) => {
        const [from, to] = [row * used, (row + 1) * used];
        chooseExperts(scores, chosen.subarray(from, to), weights.subarray(from, to));
      });
      assignSlots(chosen.subarray(0, rows * used), used, table);
    });
  }

  expertMatmuls(
    products: readonly { out: Buffer; matrix: Matrix }[],
    x: Buffer,
    from: 'tokens' | 'slots',
    routing: Routing,
  ): void {
    const { experts, starts, tokenOf } = routing as ReferenceRouting;
    this.#record(() => {
      for (const { out, matrix } of products) {
        for (let expert = 0; expert < experts; expert++) {
          for (let slot = starts[expert]; slot < starts[expert + 1]; slot++) {
            const input = prepareInput(matrix.type, rowOf(x, from === 'tokens' ? tokenOf[slot] : slot));
            const target = rowOf(out, slot);
            for (let r = 0; r < target.length; r++) {
              target[r] = dot((matrix as ReferenceMatrix).unpack(expert * target.length + r), input);
            }
          }
        }
      }
    });
  }

  combine(out: Buffer, slots: Buffer, routing: Routing, rows: number): void {
    const { used, slotOf, weights } = routing as ReferenceRouting;
    this.#each(out, rows, (row, i) => {
      for (let choice = i * used; choice < (i + 1) * used; choice++) {
        const slot = rowOf(slots, slotOf[choice]);
        for (let c = 0; c < row.length; c++) row[c] = f(row[c] + f(weights[choice] * slot[c]));
      }
    });
  }

  run(giveWay?: GiveWay): number {
    const recorded = this.#recorded.splice(0);
    for (const [i, operation] of recorded.entries()) {
      if (giveWay?.()) return i / recorded.length;
      operation();
    }
    return 1;
  }

  read(buffer: Buffer, row: number): Float32Array {
    return rowOf(buffer, row);
  }

  write(buffer: Buffer, row: number, values: Float32Array): void {
    rowOf(buffer, row).set(values);
  }

  readPage(cache: KvCache, page: number, target: Uint8Array): void {
    (cache as ReferenceKvCache).readPage(page, target);
  }

  writePage(cache: KvCache, page: number, source: Uint8Array): void {
    (cache as ReferenceKvCache).writePage(page, source);
  }

  memory(): MemoryStats {
    return { ...this.#memory };
  }

  async close(): Promise<void> {
    this.#recorded.length = 0;
  }

  #record(operation: () => void): void {
    this.#recorded.push(operation);
  }

  #each(out: Buffer, rows: number, operation: (row: Float32Array, index: number) => void): void {
    this.#record(() => {
      rowsOf(out, rows).forEach(operation);
    });
  }
}

/** Writes (or adds) matrix * input into the rows of `out`; each weight row is unpacked once for all inputs. */
function multiply(
  out: readonly Float32Array[],
  matrix: ReferenceMatrix,
  inputs: readonly Input[],
  options: { bias?: Vector; accumulate?: boolean },
): void {
  const bias = options.bias && valuesOf(options.bias);
  for (let r = 0; r < matrix.rows; r++) {
    const weights = matrix.unpack(r);
    for (let i = 0; i < inputs.length; i++) {
      let value = dot(weights, inputs[i]);
      if (bias) value = f(value + bias[r]);
      out[i][r] = options.accumulate ? f(out[i][r] + value) : value;
    }
  }
}

function checkProduct(out: Buffer, matrix: Matrix, x: Buffer): void {
  if (matrix.columns === x.columns && matrix.rows === out.columns) return;
  const shapes = `[${matrix.rows}, ${matrix.columns}] times ${x.columns} columns into ${out.columns}`;
  throw new RealmError('internal_error', `${matrix.name}: ${shapes}`);
}

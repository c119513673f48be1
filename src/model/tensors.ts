import type { Backend, Matrix, MatrixSource, Vector } from '../backend/backend.ts';
import { RealmError } from '../errors.ts';
import { readerOf } from '../gguf/reader-of.ts';
import type { GgufFile, TensorInfo } from '../gguf/types.ts';
import { byteLength, formats } from '../quant/formats.ts';
import type { ModelOptions } from './types.ts';

/** A matrix with its optional bias. */
export interface Linear {
  readonly matrix: Matrix;
  readonly bias?: Vector | undefined;
  /** Factor on the product and the bias, which was divided by it: see {@link Tensors.linear}. */
  readonly scale?: number | undefined;
  /** Which rows of the file's tensor, when they are not all. */
  readonly part?: (RowRange & { readonly of: number }) | undefined;
  /** How many experts' matrices it is, one below the other; `part` is of each. */
  readonly experts?: number | undefined;
  /** Makes room for adapters of a rank, where it takes its own. Throws `out_of_memory`. */
  readonly reserve?: ((rank: number) => void) | undefined;
}

/** Output rows of a fused matrix: consecutive ones, or runs of `run` rows that begin `step` rows apart. */
export interface RowRange {
  readonly first: number;
  readonly count: number;
  readonly run?: number | undefined;
  readonly step?: number | undefined;
}

/** Where a range's row `row` is in the fused matrix, and how many of the range follow there, itself included. */
export function runAt({ first, count, run = count, step = run }: RowRange, row: number): { at: number; left: number } {
  return { at: first + Math.floor(row / run) * step + (row % run), left: run - (row % run) };
}

/** A range's rows of `values`, whose rows are of `width`. */
export function rowsOf(range: RowRange, values: Float32Array, width = 1): Float32Array {
  const rows = new Float32Array(range.count * width);
  for (let row = 0; row < range.count; row++) {
    const from = runAt(range, row).at * width;
    rows.set(values.subarray(from, from + width), row * width);
  }
  return rows;
}

/** A tensor with rows for each expert, and which of them are meant when they are not all. */
export interface ExpertRows {
  readonly experts: number;
  readonly rows: number;
  readonly range?: RowRange | undefined;
}

/**
 * Uploads a file's tensors to a backend by name. Each is checked against the shape that the model needs; anything else
 * throws `model_invalid` with the tensor, the shape expected and the one found.
 */
export class Tensors {
  readonly #file: GgufFile;
  readonly #backend: Backend;
  readonly #progress: (bytes: number) => void;
  /** What {@link linear} and {@link experts} have loaded: the matrices that adapters may change. */
  readonly linears: Linear[] = [];

  constructor(file: GgufFile, backend: Backend, onProgress?: ModelOptions['onProgress']) {
    this.#file = file;
    this.#backend = backend;
    const total = bytesOf(file);
    let loaded = 0;
    this.#progress = bytes => {
      loaded += bytes;
      onProgress?.(Math.min(loaded, total), total);
    };
  }

  has(name: string): boolean {
    return this.#file.tensors.has(name);
  }

  /** The [rows, columns] matrix `name`, or a range of its rows. */
  async matrix(
    name: string,
    rows: number,
    columns: number,
    range: RowRange = { first: 0, count: rows },
  ): Promise<Matrix> {
    const tensor = this.#find(name, [columns, rows]);
    this.#checkBlocks(tensor, columns);
    return this.#backend.matrix(this.#source(tensor, columns, range));
  }

  /** A matrix [rows, pieces * columns] as one of [rows * pieces, columns]. */
  async pieces(name: string, rows: number, pieces: number, columns: number): Promise<Matrix> {
    const tensor = this.#find(name, [pieces * columns, rows]);
    this.#checkBlocks(tensor, columns);
    return this.#backend.matrix(this.#source(tensor, columns, { first: 0, count: rows * pieces }));
  }

  /**
   * [rows, columns] matrices of all experts, one below the other; or a range of the rows of each. With `reserve` adapters may change
   * them.
   */
  async experts(
    name: string,
    { experts, rows, range }: ExpertRows,
    columns: number,
    reserve?: Linear['reserve'],
  ): Promise<Matrix> {
    const { first, count } = range ?? { first: 0, count: rows };
    const tensor = this.#find(name, [columns, rows, experts]);
    if (count % 8 !== 0) throw invalid(name, `has ${count} rows for each expert, which must be a multiple of 8`);
    this.#checkBlocks(tensor, columns);
    const ranges = { first, count: count * experts, run: count, step: rows };
    const matrix = await this.#backend.matrix(this.#source(tensor, columns, ranges));
    if (reserve) this.linears.push({ matrix, experts, part: range && { ...range, of: rows }, reserve });
    return matrix;
  }

  /** Their biases, one behind the other; divided by the experts' factors on products, where there are any. */
  async expertBiases(name: string, { experts, rows, range }: ExpertRows): Promise<Vector> {
    const { first, count } = range ?? { first: 0, count: rows };
    const values = await this.floats(`${name}.bias`, rows, experts);
    const scales = await this.#maybeScales(name, experts, true);
    const biases = scales ? values.map((value, i) => value / scales[Math.floor(i / rows)]!) : values;
    return this.#backend.vector(rowsOf({ first, count: count * experts, run: count, step: rows }, biases));
  }

  /**
   * `<name>.weight` and, when the file has it, `<name>.bias`; or a range of the rows of both. `<name>.scale` is a factor on the
   * product, before the bias is added (NVFP4, whose blocks' scales alone do not reach far enough). `<name>.input_scale` is for
   * activations of four bits, which nobody has here.
   */
  async linear(name: string, rows: number, columns: number, range?: RowRange): Promise<Linear> {
    const hasBias = this.has(`${name}.bias`);
    const scale = (await this.#maybeScales(name, 1, hasBias))?.[0];
    const linear: Linear = {
      matrix: await this.matrix(`${name}.weight`, rows, columns, range),
      bias: hasBias ? await this.#bias(`${name}.bias`, rows, range, scale) : undefined,
      scale,
      part: range && { ...range, of: rows },
    };
    this.linears.push(linear);
    return linear;
  }

  async vector(name: string, ...shape: readonly number[]): Promise<Vector> {
    return this.#backend.vector(await this.floats(name, ...shape));
  }

  async maybeVector(name: string, length: number): Promise<Vector | undefined> {
    return this.has(name) ? this.vector(name, length) : undefined;
  }

  /** A norm's weight and bias. */
  async norm(name: string, length: number): Promise<{ weight: Vector; bias: Vector }> {
    return { weight: await this.vector(`${name}.weight`, length), bias: await this.vector(`${name}.bias`, length) };
  }

  async maybeFloats(name: string, length: number): Promise<Float32Array | undefined> {
    return this.has(name) ? this.floats(name, length) : undefined;
  }

  /** The kernel of a depthwise convolution, [taps, columns]; files have the taps of a column beside each other. */
  async kernel(name: string, taps: number, columns: number): Promise<Vector> {
    const values = await this.table(name, columns, taps);
    return this.#backend.vector(values.map((_, i) => values[(i % columns) * taps + Math.floor(i / columns)]!));
  }

  /** Those of a small matrix, which is no backend's. [rows, columns] */
  table(name: string, rows: number, columns: number): Promise<Float32Array> {
    this.#checkBlocks(this.#find(name, [columns, rows]), columns);
    return this.floats(name, columns, rows);
  }

  /** The values of a tensor that is no matrix of weights, all finite. */
  async floats(name: string, ...shape: readonly number[]): Promise<Float32Array> {
    const tensor = this.#find(name, shape);
    const length = shape.reduce((product, size) => product * size, 1);
    const bytes = await readerOf(this.#file, tensor.file).read(tensor.offset, tensor.bytes);
    const values = new Float32Array(length);
    formats[tensor.type].decode(bytes, values, length);
    if (!values.every(Number.isFinite)) throw invalid(name, 'holds an infinite value or NaN');
    this.#progress(tensor.bytes);
    return values;
  }

  /** What rotations' frequencies are divided by: none may be 0. */
  async divisors(name: string, length: number): Promise<Float32Array> {
    const values = await this.floats(name, length);
    return values.every(value => value > 0) ? values : Promise.reject(invalid(name, 'must hold numbers above 0'));
  }

  async #bias(name: string, length: number, range: RowRange = { first: 0, count: length }, scale = 1) {
    const values = await this.floats(name, length);
    return this.#backend.vector(rowsOf(range, scale === 1 ? values : values.map(value => value / scale)));
  }

  /** Factors on the product with `name`; what divides a bias is not 0. */
  async #maybeScales(name: string, count: number, hasBias: boolean): Promise<Float32Array | undefined> {
    const scales = await this.maybeFloats(`${name}.scale`, count);
    if (hasBias && scales?.includes(0)) throw invalid(`${name}.scale`, `has a 0 beside ${name}.bias`);
    return scales;
  }

  #source(tensor: TensorInfo, columns: number, range: RowRange): MatrixSource {
    const rowBytes = byteLength(tensor.type, columns);
    const reader = readerOf(this.#file, tensor.file);
    return {
      name: tensor.name,
      type: tensor.type,
      rows: range.count,
      columns,
      readRows: async (first, count, target) => {
        for (let row = 0; row < count; ) {
          const { at, left } = runAt(range, first + row);
          const rows = Math.min(left, count - row);
          await reader.readInto(
            tensor.offset + at * rowBytes,
            target.subarray(row * rowBytes, (row + rows) * rowBytes),
          );
          row += rows;
        }
        this.#progress(count * rowBytes);
      },
    };
  }

  #checkBlocks({ name, type }: TensorInfo, columns: number): void {
    const { blockSize } = formats[type];
    if (columns % blockSize !== 0) {
      throw invalid(name, `has ${columns} columns, not a multiple of ${type}'s block of ${blockSize}`);
    }
  }

  #find(name: string, shape: readonly number[]): TensorInfo {
    const tensor = this.#file.tensors.get(name);
    if (!tensor) throw invalid(name, `is missing; expected one of shape [${shape.join(', ')}]`);
    // Sizes of 1 at the end may be left out.
    const longest = Math.max(tensor.shape.length, shape.length);
    if (Array.from({ length: longest }, (_, i) => i).every(i => (tensor.shape[i] ?? 1) === (shape[i] ?? 1)))
      return tensor;
    throw invalid(name, `has shape [${tensor.shape.join(', ')}], expected [${shape.join(', ')}]`);
  }
}

/** Bytes of all tensors of a file. */
export const bytesOf = ({ tensors }: GgufFile): number =>
  tensors.values().reduce((sum, tensor) => sum + tensor.bytes, 0);

function invalid(name: string, why: string): RealmError {
  return new RealmError('model_invalid', `tensor ${name} ${why}; the file does not fit its architecture`, {
    param: name,
  });
}

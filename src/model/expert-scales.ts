import type { Backend, Buffer, Matrix, MatrixSource, Routing } from '../backend/backend.ts';
import type { Loading } from './loading.ts';

/** Factors on what experts' matrices give, one for each expert, where a file has them beside these (NVFP4). */
export class ExpertScales {
  readonly #loading: Loading;
  readonly #experts: number;
  readonly #rows: number;
  readonly #slots: number;
  /** 1 for each token. */
  #ones: Buffer | undefined;
  /** A slot's factor in all of its columns, [slots, rows of an expert]. */
  #spread: Buffer | undefined;

  /** @param rows of an expert's matrix */
  constructor(loading: Loading, experts: number, rows: number, slots: number) {
    this.#loading = loading;
    this.#experts = experts;
    this.#rows = rows;
    this.#slots = slots;
  }

  /** Those of matrix `name`: a column of its rows' factors, which times 1 is a slot's; undefined: it has none. */
  async load(name: string): Promise<Matrix | undefined> {
    const { backend, tensors, options } = this.#loading;
    const scales = await tensors.maybeFloats(`${name}.scale`, this.#experts);
    if (!scales) return undefined;
    this.#spread ??= backend.buffer(this.#slots, this.#rows);
    if (!this.#ones) {
      this.#ones = backend.buffer(options.maxBatchTokens, 1);
      for (let row = 0; row < options.maxBatchTokens; row++) backend.write(this.#ones, row, Float32Array.of(1));
    }
    return backend.matrix(column(`${name}.scale`, scales, this.#rows));
  }

  /** out = out * the slot's factor. */
  apply(backend: Backend, out: Buffer, scales: Matrix, routing: Routing, rows: number): void {
    if (!this.#ones || !this.#spread) return;
    backend.expertMatmuls([{ out: this.#spread, matrix: scales }], this.#ones, 'tokens', routing, rows);
    backend.gate(out, out, this.#spread, 'linear', rows * routing.topK);
  }
}

/** Each value `times` times, as a matrix of one column. */
const column = (name: string, values: Float32Array, times: number): MatrixSource => ({
  ...{ name, type: 'F32', rows: values.length * times, columns: 1 },
  async readRows(first, count, target) {
    const rows = Float32Array.from({ length: count }, (_, i) => values[Math.floor((first + i) / times)]!);
    target.set(new Uint8Array(rows.buffer));
  },
});

/** Weights on the device, and their products. */
import type { MatmulOptions, MatrixSource, Product, Vector } from '../backend.ts';
import { Quantizer } from './activations.ts';
import type { Context } from './context.ts';
import type { GpuMatrix, GpuRouting, GpuTokens, GpuVector, GpuWorkBuffer } from './handles.ts';
import { embed } from './ops/embed.ts';
import { recordExperts, recordProducts } from './ops/product.ts';
import { Upload } from './upload.ts';

export interface ExpertProduct {
  readonly out: GpuWorkBuffer;
  readonly matrix: GpuMatrix;
  readonly bias?: GpuVector | undefined;
}

export class Products {
  readonly #context: Context;
  readonly #upload: Upload;
  readonly #quantizer: Quantizer;

  /** `mostBytes`: of a buffer of weights; what is larger is split by rows. */
  constructor(context: Context, mostBytes?: number) {
    this.#context = context;
    this.#upload = new Upload(context, mostBytes);
    this.#quantizer = new Quantizer(context);
  }

  /** Bytes of weights. */
  get bytes(): number {
    return this.#upload.bytes;
  }

  /** Throws `model_invalid`, `out_of_memory`. */
  async matrix(source: MatrixSource): Promise<GpuMatrix> {
    return this.#upload.matrix(source);
  }

  async loaded(): Promise<void> {
    await this.#upload.arrived();
  }

  free(matrix: GpuMatrix): void {
    this.#upload.free(matrix);
  }

  /** out = matrix * x. */
  one(out: GpuWorkBuffer, matrix: GpuMatrix, x: GpuWorkBuffer, rows: number, options: MatmulOptions): void {
    const input = this.#quantizer.ready(x, rows, matrix.layout.inputBlock);
    const { accumulate } = options;
    recordProducts(this.#context, [{ out, matrix, bias: this.#place(options.bias), accumulate }], input, rows);
  }

  /** Several of the same x, which is quantised once for each size of blocks. */
  several(products: readonly Product[], x: GpuWorkBuffer, rows: number): void {
    const { owner } = this.#context;
    const all = products.map(({ matrix, out, bias }) => {
      return { matrix: owner.own(matrix), out: owner.own(out), bias: this.#place(bias) };
    });
    for (const [inputBlock, together] of Map.groupBy(all, ({ matrix }) => matrix.layout.inputBlock)) {
      recordProducts(this.#context, together, this.#quantizer.ready(x, rows, inputBlock), rows);
    }
  }

  /** out[i] = row ids[i] of table; zeros where an id is below zero. */
  embed(out: GpuWorkBuffer, table: GpuMatrix, ids: Int32Array | GpuTokens): void {
    embed(this.#context, out, table, ids, Math.min(out.rows, ids instanceof Int32Array ? ids.length : ids.rows));
  }

  /** out[slot] = matrix of the slot's expert * x[its token], or * x[slot]. */
  experts(
    products: readonly ExpertProduct[],
    x: GpuWorkBuffer,
    from: 'tokens' | 'slots',
    routing: GpuRouting,
    rows: number,
  ): void {
    const slots = rows * routing.topK;
    const all = products.map(({ out, matrix, bias }) => ({ out, matrix, bias: bias?.at }));
    for (const [inputBlock, together] of Map.groupBy(all, ({ matrix }) => matrix.layout.inputBlock)) {
      const input = this.#quantizer.ready(x, from === 'tokens' ? rows : slots, inputBlock);
      recordExperts(this.#context, together, input, from, routing, slots);
    }
  }

  #place(bias: Vector | undefined): number | undefined {
    return bias && this.#context.owner.own(bias).at;
  }
}

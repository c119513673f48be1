/** Records products of matrices and activations. */
import { panelBytes } from '../../kernels/module.ts';
import { panelGroups, panelRows } from '../../kernels/panel.ts';
import type { MatmulOptions, Product } from '../backend.ts';
import type { Activations } from './activations.ts';
import type { WasmBuffer, WasmMatrix, WasmOwner } from './handles.ts';
import { panelProduct } from './ops/panel-product.ts';
import { product } from './ops/product.ts';
import type { Recorder } from './recorder.ts';
import type { Residency } from './residency.ts';

export class Products {
  readonly #owner: WasmOwner;
  readonly #recorder: Recorder;
  readonly #residency: Residency;
  readonly #activations: Activations;

  constructor(owner: WasmOwner, recorder: Recorder, residency: Residency, activations: Activations) {
    this.#owner = owner;
    this.#recorder = recorder;
    this.#residency = residency;
    this.#activations = activations;
  }

  /** out = matrix * x. */
  one(out: WasmBuffer, matrix: WasmMatrix, x: WasmBuffer, rows: number, options: MatmulOptions): void {
    const { activation, block } = matrix;
    this.#activations.quantize(block.memory, activation, x, rows);
    this.#multiply(out, matrix, rows, options);
  }

  /** Several of the same x, which is quantised once where that serves. */
  several(products: readonly Product[], x: WasmBuffer, rows: number): void {
    let ready = '';
    for (const product of products) {
      const matrix = this.#owner.own(product.matrix);
      const { activation, block } = matrix;
      const needed = `${activation} in ${block.memory}`;
      if (needed !== ready) this.#activations.quantize(block.memory, activation, x, rows);
      else this.#recorder.free();
      ready = needed;
      this.#multiply(this.#owner.own(product.out), matrix, rows, product);
    }
  }

  #multiply(out: WasmBuffer, matrix: WasmMatrix, rows: number, { bias, accumulate }: MatmulOptions): void {
    const { type, kind, block, blocks, groups, groupStride, perToken } = matrix;
    this.#residency.writes(block.memory, out, rows, accumulate);
    const fields = {
      type: kind,
      weights: block.address,
      groups,
      blocks,
      groupStride,
      x: this.#activations.address,
      perToken,
      rows,
      out: out.address,
      outStride: out.stride,
      bias: bias ? this.#owner.own(bias).address : 0,
      accumulate: accumulate ? 1 : 0,
    };
    const together = rows >= panelRows ? groupsTogether(blocks * panelBytes(type)) : 0;
    if (together) this.#recorder.record(block.memory, panelProduct, { ...fields, together });
    else this.#recorder.record(block.memory, product, fields);
  }
}

/** Row groups of `bytes` unpacked bytes that are unpacked at once; 0: such weights have no panels. */
const groupsTogether = (bytes: number): number => (bytes ? panelGroups(bytes) : 0);

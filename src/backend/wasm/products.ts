/** Records products of matrices and activations. */
import { panelBytes } from '../../kernels/module.ts';
import { panelGroups, panelRows } from '../../kernels/panel.ts';
import type { MatmulOptions, Product } from '../backend.ts';
import type { Activations } from './activations.ts';
import type { WasmBuffer, WasmMatrix, WasmOwner } from './handles.ts';
import { headProduct } from './ops/head-product.ts';
import { panelProduct } from './ops/panel-product.ts';
import { product } from './ops/product.ts';
import { activationKinds } from './ops/quantize.ts';
import { quantizeHeads } from './ops/quantize-heads.ts';
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

  /** Each head's matrix * its piece of x. */
  heads(out: WasmBuffer, matrix: WasmMatrix, x: WasmBuffer, rows: number, heads: number): void {
    const { activation, block, blocks, kind, groups, groupStride } = matrix;
    const { memory } = block;
    const perPiece = this.#activations.reserve(activation, matrix.columns, rows * heads);
    const quantised = this.#activations.address;
    this.#residency.ensure(memory, x, rows);
    this.#residency.writes(memory, out, rows);
    this.#recorder.record(memory, quantizeHeads, {
      heads,
      kind: activationKinds.indexOf(activation),
      rows,
      x: x.address,
      stride: x.stride,
      pieceBytes: 4 * matrix.columns,
      blocks,
      out: quantised,
      perPiece,
    });
    this.#recorder.record(memory, headProduct, {
      heads,
      groups: groups / heads,
      type: kind,
      weights: block.address,
      blocks,
      groupStride,
      rows,
      x: quantised,
      perPiece,
      out: out.address,
      outStride: out.stride,
    });
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

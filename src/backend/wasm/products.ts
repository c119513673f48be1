/** Records products of matrices and activations. */
import { panelBytes } from '../../kernels/module.ts';
import { panelGroups, panelRows } from '../../kernels/panel.ts';
import type { Buffer, Matrix, Vector } from '../backend.ts';
import type { Activations } from './activations.ts';
import type { WasmBuffer, WasmMatrix, WasmVector } from './handles.ts';
import { panelProduct } from './ops/panel-product.ts';
import { product } from './ops/product.ts';
import type { Recorder } from './recorder.ts';
import type { Residency } from './residency.ts';

interface Options {
  readonly bias?: Vector;
  readonly accumulate?: boolean;
}

export class Products {
  readonly #recorder: Recorder;
  readonly #residency: Residency;
  readonly #activations: Activations;

  constructor(recorder: Recorder, residency: Residency, activations: Activations) {
    this.#recorder = recorder;
    this.#residency = residency;
    this.#activations = activations;
  }

  /** out = matrix * x. */
  one(out: Buffer, matrix: Matrix, x: Buffer, rows: number, options: Options): void {
    const { activation, block } = matrix as WasmMatrix;
    this.#activations.quantize(block.memory, activation, x as WasmBuffer, rows);
    this.#multiply(out as WasmBuffer, matrix as WasmMatrix, rows, options);
  }

  /** Several of the same x, which is quantised once where that serves. */
  several(products: readonly { out: Buffer; matrix: Matrix; bias?: Vector }[], x: Buffer, rows: number): void {
    let ready = '';
    for (const { out, matrix, bias } of products) {
      const { activation, block } = matrix as WasmMatrix;
      const needed = `${activation} in ${block.memory}`;
      if (needed !== ready) this.#activations.quantize(block.memory, activation, x as WasmBuffer, rows);
      else this.#recorder.free();
      ready = needed;
      this.#multiply(out as WasmBuffer, matrix as WasmMatrix, rows, { bias });
    }
  }

  #multiply(out: WasmBuffer, matrix: WasmMatrix, rows: number, { bias, accumulate }: Options): void {
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
      bias: (bias as WasmVector | undefined)?.address ?? 0,
      accumulate: accumulate ? 1 : 0,
      together: rows >= panelRows ? groupsTogether(blocks * panelBytes(type)) : 0,
    };
    if (fields.together) this.#recorder.record(block.memory, panelProduct, fields);
    else this.#recorder.record(block.memory, product, fields);
  }
}

/** Row groups of `bytes` unpacked bytes that are unpacked at once; 0: such weights have no panels. */
const groupsTogether = (bytes: number): number => (bytes ? panelGroups(bytes) : 0);

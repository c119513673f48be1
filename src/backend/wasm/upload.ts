/** Brings weights into the memories, and gives their room back. */
import { RealmError } from '../../errors.ts';
import { activationBytes } from '../../kernels/activation.ts';
import { groupRows, layouts, packedBytes } from '../../kernels/layout.ts';
import { kernelOf } from '../../kernels/module.ts';
import type { QuantType } from '../../quant/types.ts';
import type { MatrixSource } from '../backend.ts';
import { typeNumber, type WasmMatrix, type WasmOwner, type WasmVector } from './handles.ts';
import type { Loader } from './loader.ts';
import { align, type Memories } from './memories.ts';

export class Upload {
  readonly #owner: WasmOwner;
  readonly #memories: Memories;
  readonly #loader: Loader;
  readonly #use: (type: QuantType) => Promise<void>;
  #bytes = 0;

  /** `use` makes a type's kernels ready. */
  constructor(owner: WasmOwner, memories: Memories, loader: Loader, use: (type: QuantType) => Promise<void>) {
    this.#owner = owner;
    this.#memories = memories;
    this.#loader = loader;
    this.#use = use;
  }

  /** Bytes of weights. */
  get bytes(): number {
    return this.#bytes;
  }

  async matrix(source: MatrixSource): Promise<WasmMatrix> {
    const { name, type, rows, columns } = source;
    const { layout, kernel } = formOf(source);
    await this.#use(type);
    const block = this.#memories.own(packedBytes(layout, rows, columns), `tensor ${name}`);
    this.#bytes += block.bytes;
    const { activation, groupBytes } = kernel;
    const blocks = columns / layout.blockSize;
    const matrix: WasmMatrix = {
      ...{ owner: this.#owner, name, type, rows, columns, block, layout, activation, blocks },
      kind: typeNumber(type),
      groups: Math.ceil(rows / groupRows),
      groupStride: blocks * groupBytes,
      perToken: activationBytes(activation, columns),
    };
    try {
      await this.#loader.load(matrix, source);
    } catch (error) {
      this.free(matrix);
      throw error;
    }
    return matrix;
  }

  free(matrix: WasmMatrix): void {
    const { block } = matrix;
    matrix.owner = undefined;
    this.#memories.free(block);
    this.#bytes -= block.bytes;
  }

  vector(values: Float32Array): WasmVector {
    const bytes = align(values.length, 16) * 4;
    const address = this.#memories.shared(bytes, 'a vector');
    this.#memories.place(address, values);
    this.#bytes += bytes;
    return { owner: this.#owner, length: values.length, address };
  }
}

/** How a matrix is packed and multiplied. Throws `model_invalid`. */
function formOf({ name, type, columns }: MatrixSource) {
  const layout = layouts[type];
  if (columns % layout.blockSize) {
    const message = `tensor ${name}: ${columns} columns are no multiple of ${layout.blockSize}`;
    throw new RealmError('model_invalid', message);
  }
  return { layout, kernel: kernelOf(type) };
}

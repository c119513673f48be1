import type { Buffer } from '../../backend/backend.ts';
import type { Loading } from '../loading.ts';

/** Work buffers of layers that differ in their widths: layers of one width share them. */
export class WorkBuffers {
  readonly #loading: Loading;
  readonly #buffers = new Map<string, Buffer>();

  constructor(loading: Loading) {
    this.#loading = loading;
  }

  /** The buffer for `use`, [tokens, columns]. */
  of(use: string, columns: number): Buffer {
    const { backend, options } = this.#loading;
    const key = `${use} ${columns}`;
    const buffer = this.#buffers.get(key) ?? backend.buffer(options.maxBatchTokens, columns);
    this.#buffers.set(key, buffer);
    return buffer;
  }
}

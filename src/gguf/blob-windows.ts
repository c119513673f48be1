/** Bytes that are read at once: a browser takes a millisecond or two for any read, and no longer for some megabytes. */
export const windowBytes = 8 * 2 ** 20;
/** Windows that are kept. Tensors of a layer are asked for in another order than the file's. */
const mostKept = 3;

interface Window {
  readonly blob: Blob;
  readonly index: number;
  readonly bytes: Promise<Uint8Array>;
}

/** What was read last of a model's files, and what comes behind it. */
export class BlobWindows {
  /** The one that was wanted last is the last. */
  #kept: Window[] = [];

  /** The bytes from `index` windows on; the next window is begun to be read too. */
  async at(blob: Blob, index: number): Promise<Uint8Array> {
    const { bytes } = this.#want(blob, index);
    if ((index + 1) * windowBytes < blob.size) this.#want(blob, index + 1);
    return bytes;
  }

  forget(blob: Blob): void {
    this.#kept = this.#kept.filter(each => each.blob !== blob);
  }

  #want(blob: Blob, index: number): Window {
    const window = this.#kept.find(each => each.blob === blob && each.index === index) ?? read(blob, index);
    this.#kept = [...this.#kept.filter(each => each !== window), window].slice(-mostKept);
    return window;
  }
}

function read(blob: Blob, index: number): Window {
  const start = index * windowBytes;
  const bytes = blob.slice(start, start + windowBytes).arrayBuffer();
  const window = { blob, index, bytes: bytes.then(buffer => new Uint8Array(buffer)) };
  // Whoever wants it hears of a failure; nobody may ever want it.
  window.bytes.catch(() => {});
  return window;
}

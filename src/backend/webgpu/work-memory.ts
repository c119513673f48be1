/** One buffer on the device for all work buffers, vectors and scratch: a kernel binds it once, and views cost nothing. */
import { RealmError } from '../../errors.ts';
import { type Device, usage } from './device.ts';

export class WorkMemory {
  readonly #device: Device;
  #buffer: GPUBuffer | undefined;
  /** Words given away. */
  #taken = 0;

  constructor(device: Device) {
    this.#device = device;
  }

  /** Bytes that were asked for. */
  get bytes(): number {
    return this.#taken * 4;
  }

  /** Takes room for words; returns the first one's number, a multiple of 64. Zeros lie in it. */
  take(words: number): number {
    const first = this.#taken;
    this.#taken += Math.ceil(words / 64) * 64;
    const most = Math.min(this.#device.limits.maxStorageBufferBindingSize, this.#device.limits.maxBufferSize);
    if (this.bytes <= most) return first;
    this.#taken = first;
    throw new RealmError(
      'out_of_memory',
      `work buffers of ${first * 4 + words * 4} bytes; the GPU binds ${most} at once`,
    );
  }

  /** The buffer as it is from now on. Growing makes another one, with what the last one held. */
  buffer(): GPUBuffer {
    const old = this.#buffer;
    if (old && old.size >= this.bytes) return old;
    const { gpu, limits } = this.#device;
    const most = Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize);
    const size = Math.min(most, Math.max(1 << 20, Math.ceil(this.bytes * 1.25)) & ~255);
    const buffer = gpu.createBuffer({
      label: 'work',
      size: Math.max(size, this.bytes),
      usage: usage.storage | usage.copySrc | usage.copyDst,
    });
    if (old) {
      const encoder = gpu.createCommandEncoder();
      encoder.copyBufferToBuffer(old, 0, buffer, 0, old.size);
      gpu.queue.submit([encoder.finish()]);
      old.destroy();
    }
    this.#buffer = buffer;
    return buffer;
  }

  /** Writes words from number `first` on, behind everything that was submitted. */
  write(first: number, values: Float32Array | Uint32Array | Int32Array): void {
    const { buffer, byteOffset, byteLength } = values;
    this.#device.gpu.queue.writeBuffer(this.buffer(), first * 4, buffer as ArrayBuffer, byteOffset, byteLength);
  }
}

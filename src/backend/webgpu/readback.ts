/** Brings words back from the device, through buffers that are used again and again. */
import { RealmError } from '../../errors.ts';
import { checkFault, type Device, usage } from './device.ts';

/** A part of a buffer, in bytes, both multiples of 4. */
export interface Part {
  readonly buffer: GPUBuffer;
  readonly at: number;
  readonly bytes: number;
}

export class Readback {
  readonly #device: Device;
  readonly #idle: GPUBuffer[] = [];

  constructor(device: Device) {
    this.#device = device;
  }

  /** The parts as they are when all that was submitted has run, one behind the other. Throws `engine_failed`. */
  async read(parts: readonly Part[]): Promise<Uint8Array> {
    const { gpu } = this.#device;
    const total = parts.reduce((sum, { bytes }) => sum + bytes, 0);
    const staging = this.#staging(total);
    const encoder = gpu.createCommandEncoder();
    let to = 0;
    for (const { buffer, at, bytes } of parts) {
      encoder.copyBufferToBuffer(buffer, at, staging, to, bytes);
      to += bytes;
    }
    gpu.queue.submit([encoder.finish()]);
    checkFault(this.#device);
    try {
      await staging.mapAsync(1, 0, total);
      const copy = new Uint8Array(staging.getMappedRange(0, total)).slice();
      staging.unmap();
      this.#idle.push(staging);
      return copy;
    } catch (error) {
      checkFault(this.#device);
      throw new RealmError(
        'engine_failed',
        `the GPU answers no more: ${error instanceof Error ? error.message : error}`,
      );
    }
  }

  #staging(bytes: number): GPUBuffer {
    const i = this.#idle.findIndex(buffer => buffer.size >= bytes);
    if (i >= 0) return this.#idle.splice(i, 1)[0]!;
    const size = Math.max(4096, 2 ** Math.ceil(Math.log2(bytes)));
    return this.#device.gpu.createBuffer({ label: 'staging', size, usage: usage.mapRead | usage.copyDst });
  }
}

/** How long each kernel takes on the device, by timestamps around its dispatches: for benchmarks, it costs a pass for each. */
import { type Device, usage } from './device.ts';
import type { Readback } from './readback.ts';

export interface KernelTime {
  readonly kernel: string;
  dispatches: number;
  microseconds: number;
}

/** A device takes no more queries in a set. */
const mostDispatches = 2048;

export class Timings {
  readonly #device: Device;
  readonly #readback: Readback;
  readonly #queries: GPUQuerySet;
  readonly #values: GPUBuffer;
  readonly #times = new Map<string, KernelTime>();
  #names: string[] = [];

  constructor(device: Device, readback: Readback) {
    this.#device = device;
    this.#readback = readback;
    this.#queries = device.gpu.createQuerySet({ type: 'timestamp', count: 2 * mostDispatches });
    this.#values = device.gpu.createBuffer({ size: 16 * mostDispatches, usage: usage.queryResolve | usage.copySrc });
  }

  static has(device: Device): boolean {
    return device.features.has('timestamp-query');
  }

  /** Where a pass writes its times; undefined where there is no room for more until {@link collect}. */
  next(kernel: string): GPUComputePassTimestampWrites | undefined {
    const i = this.#names.length;
    if (i === mostDispatches) return;
    this.#names.push(kernel);
    return { querySet: this.#queries, beginningOfPassWriteIndex: 2 * i, endOfPassWriteIndex: 2 * i + 1 };
  }

  /** Adds up what was submitted since the last call. */
  async collect(): Promise<readonly KernelTime[]> {
    const names = this.#names;
    this.#names = [];
    if (names.length > 0) {
      const encoder = this.#device.gpu.createCommandEncoder();
      encoder.resolveQuerySet(this.#queries, 0, 2 * names.length, this.#values, 0);
      this.#device.gpu.queue.submit([encoder.finish()]);
      const bytes = await this.#readback.read([{ buffer: this.#values, at: 0, bytes: 16 * names.length }]);
      const stamps = new BigUint64Array(bytes.buffer, bytes.byteOffset, 2 * names.length);
      names.forEach((kernel, i) => void this.#add(kernel, Number(stamps[2 * i + 1]! - stamps[2 * i]!) / 1000));
    }
    return [...this.#times.values()].sort((a, b) => b.microseconds - a.microseconds);
  }

  #add(kernel: string, microseconds: number): void {
    const time = this.#times.get(kernel) ?? { kernel, dispatches: 0, microseconds: 0 };
    time.dispatches++;
    time.microseconds += microseconds;
    this.#times.set(kernel, time);
  }
}

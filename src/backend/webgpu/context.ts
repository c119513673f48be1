/** What the parts of the backend work with. */
import { Owner } from '../owner.ts';
import { type Device, openDevice } from './device.ts';
import type { GpuOwner, GpuVector, GpuWorkBuffer, Handles } from './handles.ts';
import { Readback } from './readback.ts';
import { Recorder } from './recorder.ts';
import { WorkMemory } from './work-memory.ts';

export class Context {
  readonly device: Device;
  readonly work: WorkMemory;
  readonly recorder: Recorder;
  readonly readback: Readback;
  readonly owner: GpuOwner = new Owner<Handles>('webgpu');

  constructor(device: Device) {
    this.device = device;
    this.work = new WorkMemory(device);
    this.recorder = new Recorder(device, this.work);
    this.readback = new Readback(device);
  }

  static async open(index?: number): Promise<Context> {
    return new Context(await openDevice(index));
  }

  buffer(rows: number, columns: number): GpuWorkBuffer {
    const stride = Math.ceil(columns / 16) * 16;
    return { owner: this.owner, rows, columns, stride, at: this.work.take(rows * stride) };
  }

  vector(values: Float32Array): GpuVector {
    const at = this.work.take(values.length);
    this.work.write(at, values);
    return { owner: this.owner, length: values.length, at };
  }

  close(): void {
    this.owner.close();
    this.device.close();
  }
}

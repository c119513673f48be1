/** A step as a list of dispatches: recorded, then encoded into one pass and submitted at once. */
import { RealmError } from '../../errors.ts';
import { type Device, usage } from './device.ts';
import { type Kernel, type ParamTypes, type ParamValues, paramWords, writeParams } from './kernel.ts';
import { Pipelines } from './pipelines.ts';
import type { WorkMemory } from './work-memory.ts';

export type Groups = readonly [x: number, y?: number, z?: number];

interface Dispatch {
  readonly kernel: Kernel;
  readonly groups: Groups;
  readonly params: Readonly<Record<string, number>>;
  readonly buffers: readonly GPUBuffer[];
}

/** Dispatches, and what the host does when they are submitted. */
interface Piece {
  readonly dispatches: readonly Dispatch[];
  readonly work: () => Promise<unknown>;
}

const paramBytes = paramWords * 4;

export class Recorder {
  readonly #device: Device;
  readonly #work: WorkMemory;
  readonly #pipelines: Pipelines;
  #dispatches: Dispatch[] = [];
  /** What comes before those. */
  #pieces: Piece[] = [];
  /** What the host does now, or did last. */
  #working: Promise<unknown> | undefined;
  /** The step's words, and where each array of them lies. */
  #tables = new Uint32Array(1 << 12);
  #tableWords = 0;
  #placed = new Map<ArrayLike<number>, number>();
  #tableBuffer: GPUBuffer;
  #paramBuffer: GPUBuffer;
  #params = new DataView(new ArrayBuffer(paramBytes * 256));

  constructor(device: Device, work: WorkMemory) {
    this.#device = device;
    this.#work = work;
    this.#pipelines = new Pipelines(device);
    this.#tableBuffer = this.#create('tables', this.#tables.byteLength, usage.storage);
    this.#paramBuffer = this.#create('params', this.#params.byteLength, usage.uniform);
  }

  get length(): number {
    return this.#dispatches.length;
  }

  /** Records a dispatch of workgroups; a dispatch of none is left out. `buffers` are the kernel's own. */
  record<P extends ParamTypes>(
    kernel: Kernel<P>,
    groups: Groups,
    params: NoInfer<ParamValues<P>>,
    buffers: readonly GPUBuffer[] = [],
  ): void {
    if (groups.includes(0)) return;
    this.#dispatches.push({ kernel: kernel as unknown as Kernel, groups, params, buffers });
  }

  /** Puts words where this step's kernels find them; returns the number of the first. The same array is put there once. */
  table(words: Int32Array | Uint32Array | Float32Array): number {
    const known = this.#placed.get(words);
    if (known !== undefined) return known;
    const at = this.#tableWords;
    const need = at + words.length;
    if (need > this.#tables.length) {
      const larger = new Uint32Array(2 ** Math.ceil(Math.log2(need)));
      larger.set(this.#tables.subarray(0, at));
      this.#tables = larger;
    }
    this.#tables.set(new Uint32Array(words.buffer, words.byteOffset, words.length), at);
    this.#tableWords = Math.ceil(need / 4) * 4;
    this.#placed.set(words, at);
    return at;
  }

  /** `work` begins when all that was recorded is submitted; what is recorded from now on waits for it. */
  host(work: () => Promise<unknown>): void {
    this.#pieces.push({ dispatches: this.#dispatches, work });
    this.#dispatches = [];
  }

  /** Submits what is recorded, in pieces where the host has work in between. Nobody waits for work that stands last. */
  async run(): Promise<void> {
    const pieces = this.#pieces;
    this.#pieces = [];
    for (const { dispatches, work } of pieces) {
      await this.#worked();
      this.#encode(dispatches);
      this.#working = work();
      // Who wants the result hears of it.
      this.#working.catch(() => undefined);
    }
    if (this.#dispatches.length > 0) await this.#worked();
    this.submit();
  }

  /** Submits what is recorded, where the host has nothing to do in between. Reads that follow wait for it. */
  submit(): void {
    this.#encode(this.#dispatches);
    this.#dispatches = [];
    this.#tableWords = 0;
    this.#placed.clear();
  }

  async #worked(): Promise<void> {
    const working = this.#working;
    this.#working = undefined;
    await working;
  }

  #encode(dispatches: readonly Dispatch[]): void {
    const { gpu } = this.#device;
    this.#checkLost();
    if (dispatches.length === 0) return;
    this.#writeTables();
    this.#writeParams(dispatches);
    const shared = this.#pipelines.shared(this.#paramBuffer, this.#work.buffer(), this.#tableBuffer);
    const encoder = gpu.createCommandEncoder();
    const pass = encoder.beginComputePass();
    dispatches.forEach(({ kernel, groups, buffers }, i) => {
      pass.setPipeline(this.#pipelines.of(kernel));
      pass.setBindGroup(0, shared, [i * paramBytes]);
      const own = this.#pipelines.own(kernel, buffers);
      if (own) pass.setBindGroup(1, own);
      pass.dispatchWorkgroups(groups[0], groups[1], groups[2]);
    });
    pass.end();
    gpu.queue.submit([encoder.finish()]);
  }

  /** Bind groups with this buffer are given up. */
  forget(buffer: GPUBuffer): void {
    this.#pipelines.forget(buffer);
  }

  #checkLost(): void {
    const lost = this.#device.lost();
    if (lost !== undefined) throw new RealmError('engine_failed', `the GPU was lost: ${lost}`);
  }

  #writeTables(): void {
    if (this.#tableBuffer.size < this.#tables.byteLength) {
      this.#retire(this.#tableBuffer);
      this.#tableBuffer = this.#create('tables', this.#tables.byteLength, usage.storage);
    }
    if (this.#tableWords > 0) {
      const { buffer } = this.#tables;
      this.#device.gpu.queue.writeBuffer(this.#tableBuffer, 0, buffer as ArrayBuffer, 0, this.#tableWords * 4);
    }
  }

  #writeParams(dispatches: readonly Dispatch[]): void {
    const bytes = dispatches.length * paramBytes;
    if (bytes > this.#params.byteLength) this.#params = new DataView(new ArrayBuffer(2 * bytes));
    if (this.#paramBuffer.size < this.#params.byteLength) {
      this.#retire(this.#paramBuffer);
      this.#paramBuffer = this.#create('params', this.#params.byteLength, usage.uniform);
    }
    dispatches.forEach(({ kernel, params }, i) => void writeParams(kernel, params, this.#params, i * paramBytes));
    this.#device.gpu.queue.writeBuffer(this.#paramBuffer, 0, this.#params.buffer as ArrayBuffer, 0, bytes);
  }

  #create(label: string, size: number, kind: number): GPUBuffer {
    return this.#device.gpu.createBuffer({ label, size, usage: kind | usage.copyDst });
  }

  #retire(buffer: GPUBuffer): void {
    this.#pipelines.forget(buffer);
    buffer.destroy();
  }
}

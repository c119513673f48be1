/** A step as a list of dispatches: recorded, then encoded into one pass and submitted at once. */
import type { Preempt } from '../backend.ts';
import { checkFault, type Device, usage } from './device.ts';
import { type Dispatch, type Fuse, type Groups, writeParams } from './dispatch.ts';
import { type Kernel, type ParamTypes, type ParamValues, paramWords } from './kernel.ts';
import { Pipelines } from './pipelines.ts';
import type { Timings } from './timings.ts';
import type { WorkMemory } from './work-memory.ts';

/** Dispatches, and what the host does when they are submitted. */
interface Piece {
  readonly dispatches: readonly Dispatch[];
  readonly work?: () => Promise<unknown>;
}

const paramBytes = paramWords * 4;

/** About four layers: a few milliseconds of a long prompt. */
const dispatchesInTurn = 40;

export class Recorder {
  readonly #device: Device;
  readonly #work: WorkMemory;
  readonly #pipelines: Pipelines;
  /** Set while kernels are timed: each dispatch is a pass of its own then. */
  timings: Timings | undefined;
  /** Makes fewer dispatches of what is recorded, see fusions.ts. */
  fuse: Fuse = dispatches => dispatches;
  /** How many have been submitted. */
  dispatches = 0;
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
    this.#pieces.push({ dispatches: this.#ready(this.#dispatches), work });
    this.#dispatches = [];
  }

  /**
   * Submits what is recorded, in pieces where the host has work in between, or where it is asked whether the rest is still
   * wanted. Nobody waits for work that stands last. Resolves to the fraction that was submitted.
   */
  async run(preempt?: Preempt): Promise<number> {
    // Before anything is taken: what went wrong there leaves the next run what is recorded.
    if (this.#working && (this.#pieces.length > 0 || this.#dispatches.length > 0)) await this.#worked();
    const pieces: readonly Piece[] = [...this.#pieces, { dispatches: this.#ready(this.#dispatches) }];
    this.#begin();
    const total = pieces.reduce((sum, { dispatches }) => sum + dispatches.length, 0);
    let done = 0;
    for (const { dispatches, work } of pieces) {
      if (dispatches.length > 0 && this.#working) await this.#worked();
      const submitted = preempt ? await this.#inTurns(dispatches, preempt) : this.#submit(dispatches);
      done += submitted;
      if (submitted < dispatches.length) return done / total;
      if (!work) continue;
      await this.#worked();
      this.#working = work();
      // Who wants the result hears of it.
      this.#working.catch(() => undefined);
    }
    return 1;
  }

  /** Submits what is recorded, where the host has nothing to do in between. */
  submit(): void {
    const dispatches = this.#ready(this.#dispatches);
    this.#begin();
    this.#submit(dispatches);
  }

  #ready(recorded: readonly Dispatch[]): readonly Dispatch[] {
    return this.fuse(recorded, this.#device.limits.maxComputeWorkgroupStorageSize);
  }

  /** What is recorded is taken: its tables are written, and the next step begins. */
  #begin(): void {
    checkFault(this.#device);
    this.#writeTables();
    this.#tableWords = 0;
    this.#placed.clear();
    this.#pieces = [];
    this.#dispatches = [];
  }

  /** Some dispatches at a time, of which two lots are on their way at once. Resolves to how many were submitted. */
  async #inTurns(dispatches: readonly Dispatch[], preempt: Preempt): Promise<number> {
    const { queue } = this.#device.gpu;
    let before: Promise<unknown> = Promise.resolve();
    for (let at = 0; at < dispatches.length; at += dispatchesInTurn) {
      this.#submit(dispatches.slice(at, at + dispatchesInTurn));
      const submitted = queue.onSubmittedWorkDone();
      await before;
      before = submitted;
      const done = at + dispatchesInTurn;
      if (done < dispatches.length && preempt()) return done;
    }
    return dispatches.length;
  }

  async #worked(): Promise<void> {
    const working = this.#working;
    this.#working = undefined;
    await working;
  }

  #submit(dispatches: readonly Dispatch[]): number {
    const { gpu } = this.#device;
    if (dispatches.length === 0) return 0;
    this.#writeParams(dispatches);
    const shared = this.#pipelines.shared(this.#paramBuffer, this.#work.buffer(), this.#tableBuffer);
    const encoder = gpu.createCommandEncoder();
    const pass = this.timings ? undefined : encoder.beginComputePass();
    dispatches.forEach(({ kernel, groups, buffers }, i) => {
      const timestampWrites = this.timings?.next(kernel.name);
      const current = pass ?? encoder.beginComputePass(timestampWrites && { timestampWrites });
      current.setPipeline(this.#pipelines.of(kernel));
      current.setBindGroup(0, shared, [i * paramBytes]);
      const own = this.#pipelines.own(kernel, buffers);
      if (own) current.setBindGroup(1, own);
      current.dispatchWorkgroups(groups[0], groups[1], groups[2]);
      if (!pass) current.end();
    });
    pass?.end();
    this.dispatches += dispatches.length;
    gpu.queue.submit([encoder.finish()]);
    return dispatches.length;
  }

  /** Bind groups with this buffer are given up. */
  forget(buffer: GPUBuffer): void {
    this.#pipelines.forget(buffer);
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
    dispatches.forEach((dispatch, i) => void writeParams(dispatch, this.#params, i * paramBytes));
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

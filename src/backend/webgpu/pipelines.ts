/** Compiled kernels, and what they are bound to, each made once. */
import type { Device } from './device.ts';
import { type Kernel, paramWords } from './kernel.ts';

export class Pipelines {
  readonly #device: Device;
  readonly #shared: GPUBindGroupLayout;
  readonly #layouts = new Map<string, { readonly own: GPUBindGroupLayout; readonly pipeline: GPUPipelineLayout }>();
  readonly #pipelines = new Map<Kernel, GPUComputePipeline>();
  readonly #groups = new Map<string, GPUBindGroup>();
  readonly #ids = new WeakMap<GPUBuffer, number>();
  #nextId = 0;

  constructor(device: Device) {
    this.#device = device;
    this.#shared = device.gpu.createBindGroupLayout({
      entries: [
        { binding: 0, visibility: 4, buffer: { type: 'uniform', hasDynamicOffset: true } },
        { binding: 1, visibility: 4, buffer: { type: 'storage' } },
        { binding: 2, visibility: 4, buffer: { type: 'read-only-storage' } },
      ],
    });
  }

  of(kernel: Kernel): GPUComputePipeline {
    const known = this.#pipelines.get(kernel);
    if (known) return known;
    const module = this.#device.gpu.createShaderModule({ label: kernel.name, code: kernel.code });
    const { pipeline: layout } = this.#layout(kernel);
    const pipeline = this.#device.gpu.createComputePipeline({
      ...{ label: kernel.name, layout, compute: { module, entryPoint: 'main' } },
    });
    this.#pipelines.set(kernel, pipeline);
    return pipeline;
  }

  /** Group 0: parameters at a dynamic offset, work buffers, the step's tables. */
  shared(params: GPUBuffer, work: GPUBuffer, tables: GPUBuffer): GPUBindGroup {
    return this.#group(`${this.#id(params)} ${this.#id(work)} ${this.#id(tables)}`, this.#shared, [
      { buffer: params, size: paramWords * 4 },
      { buffer: work },
      { buffer: tables },
    ]);
  }

  /** Group 1: a kernel's own buffers. */
  own(kernel: Kernel, buffers: readonly GPUBuffer[]): GPUBindGroup | undefined {
    if (buffers.length === 0) return;
    const key = `${accesses(kernel)}: ${buffers.map(buffer => this.#id(buffer)).join(' ')}`;
    return this.#group(
      key,
      this.#layout(kernel).own,
      buffers.map(buffer => ({ buffer })),
    );
  }

  /** Nothing that is bound to this buffer is wanted any more. */
  forget(buffer: GPUBuffer): void {
    const id = `${this.#id(buffer)}`;
    for (const key of this.#groups.keys()) if (key.split(/[: ]+/).includes(id)) this.#groups.delete(key);
  }

  #layout(kernel: Kernel) {
    const key = accesses(kernel);
    const known = this.#layouts.get(key);
    if (known) return known;
    const { gpu } = this.#device;
    const own = gpu.createBindGroupLayout({
      entries: (kernel.bindings ?? []).map(({ access }, binding) => ({
        ...{ binding, visibility: 4, buffer: { type: access === 'read' ? 'read-only-storage' : 'storage' } },
      })),
    });
    const made = { own, pipeline: gpu.createPipelineLayout({ bindGroupLayouts: [this.#shared, own] }) };
    this.#layouts.set(key, made);
    return made;
  }

  #group(key: string, layout: GPUBindGroupLayout, resources: readonly GPUBufferBinding[]): GPUBindGroup {
    const known = this.#groups.get(key);
    if (known) return known;
    const entries = resources.map((resource, binding) => ({ binding, resource }));
    const group = this.#device.gpu.createBindGroup({ layout, entries });
    this.#groups.set(key, group);
    return group;
  }

  #id(buffer: GPUBuffer): number {
    const known = this.#ids.get(buffer);
    if (known !== undefined) return known;
    this.#ids.set(buffer, this.#nextId);
    return this.#nextId++;
  }
}

/** `rrw`: which of a kernel's own buffers it reads, and which it writes. */
const accesses = ({ bindings = [] }: Kernel): string =>
  bindings.map(({ access }) => (access === 'read' ? 'r' : 'w')).join('');

/** What one thread executes commands with: the kernels, bound to each of the model's memories. */
import { attentionName, cacheTypes, maxQueries } from '../../kernels/attention.ts';
import { type KernelExports, kernelName, panelKernelName, unpackKernelName } from '../../kernels/module.ts';
import { panelRoom } from '../../kernels/panel.ts';
import type { QuantType } from '../../quant/types.ts';

/** What reaches a pool's threads between steps. */
export type Part = { readonly memory: WebAssembly.Memory } | { readonly kernels: WebAssembly.Module };

/** One memory as a thread sees it. */
export interface KernelInstance {
  readonly kernels: KernelExports;
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  /** Kernels by number of the weight type and tokens of the tile. */
  readonly products: readonly (readonly Kernel[])[];
  /** Those for weights in a panel, and by number of the weight type what fills it. */
  readonly panels: readonly (readonly Kernel[])[];
  readonly unpackers: readonly Kernel[];
  /** Kernels by number of the cache's type and query heads. */
  readonly attention: readonly (readonly Kernel[])[];
}

/** A thread's scratch: scaled queries and scores of an attention call, scales of a block; then its panel. */
const panelStart = 65536;
export const scratchBytes = panelStart + panelRoom;

type Kernel = (...args: number[]) => void;

export class ThreadContext {
  readonly instances: KernelInstance[] = [];
  /** Address of this thread's own scratch, in every memory. */
  readonly scratch: number;
  /** Address of this thread's panel. */
  readonly panel: number;
  readonly types: readonly QuantType[];
  readonly maxTile: number;
  /** Parts so far. */
  parts = 0;
  readonly #memories: WebAssembly.Memory[] = [];
  readonly #modules: WebAssembly.Module[] = [];
  readonly #exports: Record<string, Kernel>[] = [];

  constructor(scratch: number, types: readonly QuantType[], maxTile: number) {
    this.scratch = scratch;
    this.panel = scratch + panelStart;
    this.types = types;
    this.maxTile = maxTile;
  }

  add(part: Part): void {
    this.parts++;
    if ('memory' in part) {
      this.#memories.push(part.memory);
      this.#exports.push({});
      this.#modules.forEach(module => void this.#bind(module, this.#memories.length - 1));
    } else {
      this.#modules.push(part.kernels);
      this.#memories.forEach((_, index) => void this.#bind(part.kernels, index));
    }
  }

  #bind(module: WebAssembly.Module, index: number): void {
    const memory = this.#memories[index];
    const instance = new WebAssembly.Instance(module, { env: { memory } });
    const kernels = Object.assign(this.#exports[index], instance.exports);
    const byTile = (name: (type: QuantType, tile: number) => string) =>
      this.types.map(type => Array.from({ length: this.maxTile + 1 }, (_, tile) => kernels[name(type, tile)]));
    const [products, panels] = [byTile(kernelName), byTile(panelKernelName)];
    const unpackers = this.types.map(type => kernels[unpackKernelName(type)]);
    const attention = cacheTypes.map(type =>
      Array.from({ length: maxQueries + 1 }, (_, queries) => kernels[attentionName(type, queries)]),
    );
    const { buffer } = memory;
    const views = { bytes: new Uint8Array(buffer), words: new Int32Array(buffer) };
    this.instances[index] = { kernels, products, panels, unpackers, attention, ...views };
  }
}

/** What the backend on GPUs knows of the things that its callers hold. Places in work memory are numbers of words. */
import type { Buffer, KvCache, Matrix, Routing, TokenBuffer, Vector } from '../backend.ts';
import type { Owned, Owner } from '../owner.ts';
import type { Layout, PlaneName } from './layout.ts';
import type { PageLayout } from './page-layout.ts';

export interface Handles {
  readonly matrix: GpuMatrix;
  readonly vector: GpuVector;
  readonly buffer: GpuWorkBuffer;
  readonly tokens: GpuTokens;
  readonly routing: GpuRouting;
  readonly cache: GpuCache;
}

export type GpuOwner = Owner<Handles>;

export interface GpuMatrix extends Matrix, Owned {
  /** Of weights on the device. */
  readonly bytes: number;
  readonly layout: Layout;
  /** The rows in their order; a large matrix lies in several buffers. */
  readonly parts: readonly MatrixPart[];
}

export interface MatrixPart {
  readonly buffer: GPUBuffer;
  /** The first of its rows. */
  readonly first: number;
  readonly rows: number;
  /** Where each plane begins, in words of 16 bytes. */
  readonly planes: Readonly<Record<PlaneName, number>>;
}

export interface GpuVector extends Vector, Owned {
  readonly at: number;
}

export interface GpuWorkBuffer extends Buffer, Owned {
  readonly at: number;
  /** Words between rows, a multiple of 16. */
  readonly stride: number;
}

/** Ids as i32, one behind the other. */
export interface GpuTokens extends TokenBuffer, Owned {
  readonly at: number;
}

/** Where the parts of a routing lie in work memory, all of them words of 32 bits: i32, but for the weights, which are f32. */
export interface GpuRouting extends Routing, Owned {
  /** [tokens, topK]: the experts of each token in the order of choice, and their weights. */
  readonly chosen: number;
  readonly weights: number;
  /** [tokens, topK]: the slot of each choice. */
  readonly slotOf: number;
  /** [tokens * topK]: the token of each slot. Slots of one expert lie beside each other. */
  readonly tokenOf: number;
  /** [experts + 1]: expert e has the slots from starts[e] to starts[e + 1]; starts[experts] is the number of slots in use. */
  readonly starts: number;
}

export interface GpuCache extends KvCache, Owned {
  readonly layers: readonly (PagedLayer | StateLayer)[];
}

/** Where a layer's pages lie, one after the other. */
export interface PagedLayer extends PageLayout {
  readonly buffer: GPUBuffer;
}

/** Where a layer's states lie, one after the other. */
export interface StateLayer {
  readonly stateSize: number;
  readonly buffer: GPUBuffer;
}

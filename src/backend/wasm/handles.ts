/** What the CPU backend knows of the things that its callers hold: where they lie. */
import type { ActivationKind } from '../../kernels/activation.ts';
import { type Layout, layouts } from '../../kernels/layout.ts';
import type { QuantType } from '../../quant/types.ts';
import type { Buffer, KvCache, Matrix, PagedShape, Routing, TokenBuffer, Vector } from '../backend.ts';
import type { Owned, Owner } from '../owner.ts';
import type { Block } from './memories.ts';

export interface Handles {
  readonly matrix: WasmMatrix;
  readonly vector: WasmVector;
  readonly buffer: WasmBuffer;
  readonly tokens: WasmTokens;
  readonly routing: WasmRouting;
  readonly cache: WasmCache;
}

export type WasmOwner = Owner<Handles>;

/** The number of a weight type is its place here. */
export const weightTypes = Object.keys(layouts) as readonly QuantType[];

export const typeNumber = (type: QuantType): number => weightTypes.indexOf(type);

export interface WasmMatrix extends Matrix, Owned {
  readonly block: Block;
  readonly layout: Layout;
  readonly activation: ActivationKind;
  /** Number of its type. */
  readonly kind: number;
  /** Blocks in a row. */
  readonly blocks: number;
  readonly groups: number;
  readonly groupStride: number;
  /** Bytes of one token's activations. */
  readonly perToken: number;
}

export interface WasmVector extends Vector, Owned {
  readonly address: number;
}

export interface WasmBuffer extends Buffer, Owned {
  readonly address: number;
  /** Bytes between rows. */
  readonly stride: number;
  readonly whole: Whole;
}

/** Whether all of them begin with their buffer's first row. */
export const areWhole = (...buffers: readonly WasmBuffer[]): boolean =>
  buffers.every(buffer => buffer.address === buffer.whole.address);

/** A buffer with all its rows, of which others are views. */
export interface Whole {
  readonly address: number;
  readonly rows: number;
  /** Bit m: memory m holds what was last written. */
  valid: number;
}

/** Ids lie in the engine's own memory: its thread samples, and unpacks the embeddings. */
export interface WasmTokens extends TokenBuffer, Owned {
  readonly ids: Int32Array;
}

export interface WasmCache extends KvCache, Owned {
  readonly layers: readonly (PagedLayer | StateLayer)[];
}

/** Where a layer's pages lie, one after the other. */
export interface PagedLayer extends PagedShape {
  readonly block: Block;
  readonly pageBytes: number;
  /** Bytes of a page's keys of one head. */
  readonly headBytes: number;
}

/** Where a layer's states lie, one after the other. */
export interface StateLayer {
  readonly stateSize: number;
  readonly block: Block;
  readonly slotBytes: number;
}

export interface WasmRouting extends Routing, Owned {
  /** What the addresses that follow lie in. */
  readonly table: WasmBuffer;
  readonly chosen: number;
  readonly weights: number;
  readonly slotOf: number;
  readonly tokenOf: number;
  readonly starts: number;
}

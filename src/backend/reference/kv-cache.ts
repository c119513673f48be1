import {
  type BatchLayout,
  type CacheType,
  type KvCache,
  type KvShape,
  type LayerShape,
  type PagedShape,
  pageTokens,
  type Segment,
} from '../backend.ts';
import type { Owned } from '../owner.ts';
import type { KvHead } from './attention.ts';
import { clampF16, nearestEven } from './math.ts';

const f = Math.fround;

/** What is copied, read and written as one: a page's keys and values, or the state in a slot, of all layers that have one. */
export type Unit = 'page' | 'slot';

/**
 * For each layer its keys and values, [pages][keys, values][pageTokens][kvHeads * headDim], as numbers that the cache's type can
 * hold; its keys alone, [pages][pageTokens][headDim], where attention is latent; or its states, [slots][stateSize].
 */
export class ReferenceKvCache implements KvCache, Owned {
  readonly owner: object;
  readonly layers: readonly LayerShape[];
  readonly pages: number;
  readonly slots: number;
  readonly type: CacheType;
  readonly pageBytes: number;
  readonly slotBytes: number;
  readonly #values: readonly Float32Array[];

  constructor(shape: KvShape, owner: object) {
    this.owner = owner;
    this.layers = shape.layers;
    this.pages = shape.pages;
    this.slots = shape.slots;
    this.type = shape.type;
    this.pageBytes = pageBytesOf(shape.layers);
    this.slotBytes = shape.layers.reduce((sum, layer) => sum + 4 * sizeOf(layer, 'slot'), 0);
    this.#values = shape.layers.map(
      layer => new Float32Array(shape.pages * sizeOf(layer, 'page') + shape.slots * sizeOf(layer, 'slot')),
    );
  }

  paged(layer: number): PagedShape {
    const shape = this.layers[layer];
    if ('stateSize' in shape) throw new RangeError(`layer ${layer} has no keys and values`);
    return shape;
  }

  /** Writes the rows of k and v, [tokens, kvHeads * headDim], at the positions of their segments. */
  store(layer: number, k: readonly Float32Array[], v: readonly Float32Array[], batch: BatchLayout): void {
    const held = this.type === 'F16' ? asF16 : asBytes;
    for (const segment of batch.segments) {
      for (let i = 0; i < segment.count; i++) {
        const at = this.#offset(layer, segment, segment.position + i);
        this.#values[layer].set(held(k[segment.start + i]), at);
        this.#values[layer].set(held(v[segment.start + i]), at + this.#pageSize(layer) / 2);
      }
    }
  }

  /** Writes what latent attention keeps, in rows of [latentDim] and [headDim - latentDim]. */
  storeLatent(
    layer: number,
    latent: readonly Float32Array[],
    rotated: readonly Float32Array[],
    batch: BatchLayout,
  ): void {
    const held = this.type === 'F16' ? asF16 : asBytes;
    const { latentDim } = this.latent(layer);
    for (const segment of batch.segments) {
      for (let i = 0; i < segment.count; i++) {
        const at = this.#offset(layer, segment, segment.position + i);
        this.#values[layer].set(held(latent[segment.start + i]), at);
        this.#values[layer].set(held(rotated[segment.start + i]), at + latentDim);
      }
    }
  }

  latent(layer: number): Required<PagedShape> & { latentDim: number } {
    const { latentDim, ...shape } = this.paged(layer);
    if (latentDim === undefined) throw new RangeError(`layer ${layer} keeps no latent`);
    return { ...shape, latentDim };
  }

  /** A sequence's keys, and the values that are their first dimensions. */
  latents(layer: number, segment: Segment): KvHead {
    const { latentDim, headDim } = this.latent(layer);
    const view = (columns: number) => (position: number) => {
      const at = this.#offset(layer, segment, position);
      return this.#values[layer].subarray(at, at + columns);
    };
    return { latent: true, key: view(headDim), value: view(latentDim) };
  }

  /** One head of a sequence's keys and values, by position. */
  head(layer: number, segment: Segment, head: number): KvHead {
    const { headDim } = this.paged(layer);
    const view = (start: number) => (position: number) => {
      const at = start + this.#offset(layer, segment, position) + head * headDim;
      return this.#values[layer].subarray(at, at + headDim);
    };
    return { key: view(0), value: view(this.#pageSize(layer) / 2) };
  }

  /** Part of a segment's state, from `at` on, where it is to be put: there is already what it begins with. */
  state(layer: number, { position, slot, nextSlot }: Segment, at: number, count: number): Float32Array {
    const size = sizeOf(this.layers[layer], 'slot');
    if (slot === undefined || nextSlot === undefined || slot === nextSlot || at + count > size)
      throw new RangeError(`layer ${layer} has no state of ${at + count} values from slot ${slot} to ${nextSlot}`);
    const of = (slot: number) => this.#values[layer].subarray(slot * size + at, slot * size + at + count);
    const next = of(nextSlot);
    if (position === 0) next.fill(0);
    else next.set(of(slot));
    return next;
  }

  /** A unit, layer by layer. */
  read(unit: Unit, index: number, target: Uint8Array): void {
    let at = 0;
    for (const part of this.#parts(unit, index)) {
      target.set(part, at);
      at += part.length;
    }
  }

  write(unit: Unit, index: number, source: Uint8Array): void {
    let at = 0;
    for (const part of this.#parts(unit, index)) {
      part.set(source.subarray(at, at + part.length));
      at += part.length;
    }
  }

  copy(unit: Unit, from: number, to: number): void {
    const targets = this.#parts(unit, to);
    this.#parts(unit, from).forEach((part, layer) => void targets[layer].set(part));
  }

  #parts(unit: Unit, index: number): Uint8Array[] {
    return this.layers.map((layer, i) => {
      const bytes = 4 * sizeOf(layer, unit);
      return new Uint8Array(this.#values[i].buffer, index * bytes, bytes);
    });
  }

  #pageSize(layer: number): number {
    return sizeOf(this.layers[layer], 'page');
  }

  /** Where a position's keys begin. */
  #offset(layer: number, segment: Segment, position: number): number {
    const { kvHeads, headDim } = this.paged(layer);
    const page = segment.pages[Math.floor(position / pageTokens)];
    return page * this.#pageSize(layer) + (position % pageTokens) * kvHeads * headDim;
  }
}

/** Bytes of a page over all layers. */
export const pageBytesOf = (layers: readonly LayerShape[]): number =>
  layers.reduce((sum, layer) => sum + 4 * sizeOf(layer, 'page'), 0);

/** Numbers that a layer has in a unit. */
function sizeOf(layer: LayerShape, unit: Unit): number {
  if ('stateSize' in layer) return unit === 'slot' ? layer.stateSize : 0;
  return unit === 'page' ? (layer.latentDim ? 1 : 2) * pageTokens * layer.kvHeads * layer.headDim : 0;
}

const asF16 = (row: Float32Array): Float32Array => Float32Array.from(Float16Array.from(row, clampF16));

/** Per 32 numbers int8 times the largest magnitude / 127. */
function asBytes(row: Float32Array): Float32Array {
  const held = new Float32Array(row.length);
  for (let start = 0; start < row.length; start += 32) {
    const block = row.subarray(start, start + 32);
    const d = f(block.reduce((max, x) => Math.max(max, Math.abs(x)), 0) / 127);
    const inverse = d < f(1e-30) ? 0 : f(1 / d);
    block.forEach((x, i) => {
      held[start + i] = f(nearestEven(f(x * inverse)) * d);
    });
  }
  return held;
}

/** Records what writes and reads the key-value cache, and knows where its pages lie. */
import { RealmError } from '../../errors.ts';
import { cacheTypes, headBytes, maxQueries } from '../../kernels/attention.ts';
import type {
  AttentionOptions,
  BatchLayout,
  CacheType,
  KvShape,
  LatentOptions,
  LayerShape,
  PagedShape,
} from '../backend.ts';
import {
  areWhole,
  type PagedLayer,
  type StateLayer,
  type WasmBuffer,
  type WasmCache,
  type WasmOwner,
} from './handles.ts';
import type { Memories } from './memories.ts';
import { attention } from './ops/attention.ts';
import { latentAttention } from './ops/latent-attention.ts';
import { storeKv } from './ops/store-kv.ts';
import { storeLatent } from './ops/store-latent.ts';
import type { Recorder } from './recorder.ts';
import type { Residency } from './residency.ts';
import type { StepTables } from './step-tables.ts';

/** What is copied, read and written as one: a page's keys and values, or the state in a slot, of all layers that have one. */
export type Unit = 'page' | 'slot';

export class Caches {
  readonly #memories: Memories;
  readonly #recorder: Recorder;
  readonly #residency: Residency;
  readonly #tables: StepTables;
  #bytes = 0;

  constructor(memories: Memories, recorder: Recorder, residency: Residency, tables: StepTables) {
    this.#memories = memories;
    this.#recorder = recorder;
    this.#residency = residency;
    this.#tables = tables;
  }

  /** Bytes of all of them. */
  get bytes(): number {
    return this.#bytes;
  }

  create(owner: WasmOwner, shape: KvShape): WasmCache {
    const layers = shape.layers.map(layer => this.#place(layer, shape));
    const [pageBytes, slotBytes] = [sum(layers, 'page'), sum(layers, 'slot')];
    this.#bytes += pageBytes * shape.pages + slotBytes * shape.slots;
    return { ...shape, owner, layers, pageBytes, slotBytes };
  }

  #place(layer: LayerShape, { type, pages, slots }: KvShape): PagedLayer | StateLayer {
    const own = (bytes: number) => this.#memories.own(bytes, 'the key-value cache');
    if ('stateSize' in layer) {
      const slotBytes = 4 * layer.stateSize;
      return { stateSize: layer.stateSize, slotBytes, block: own(slotBytes * slots) };
    }
    const pageBytes = pageBytesOf(layer, type);
    return { ...layer, pageBytes, headBytes: headBytes(type, layer.headDim), block: own(pageBytes * pages) };
  }

  /** Visits the bytes that a page or a slot has in each layer; `at` is where they stand in all of it. */
  #each(cache: WasmCache, unit: Unit, index: number, visit: (bytes: Uint8Array, at: number) => void): void {
    let at = 0;
    for (const layer of cache.layers) {
      const bytes = bytesOf(layer, unit);
      const start = layer.block.address + index * bytes;
      if (bytes > 0) visit(this.#memories.bytes(layer.block.memory).subarray(start, start + bytes), at);
      at += bytes;
    }
  }

  read(cache: WasmCache, unit: Unit, index: number, target: Uint8Array): void {
    this.#each(cache, unit, index, (bytes, at) => target.set(bytes, at));
  }

  write(cache: WasmCache, unit: Unit, index: number, source: Uint8Array): void {
    this.#each(cache, unit, index, (bytes, at) => bytes.set(source.subarray(at, at + bytes.length)));
  }

  copy(cache: WasmCache, unit: Unit, pairs: Int32Array): void {
    for (const layer of cache.layers) {
      const bytes = bytesOf(layer, unit);
      const { memory, address } = layer.block;
      for (let i = 0; i < pairs.length; i += 2) {
        const from = address + pairs[i] * bytes;
        this.#memories.bytes(memory).copyWithin(address + pairs[i + 1] * bytes, from, from + bytes);
      }
    }
  }

  store(cache: WasmCache, layer: number, k: WasmBuffer, v: WasmBuffer, batch: BatchLayout): void {
    const { kvHeads, headDim, pageBytes, headBytes, block } = paged(cache, layer);
    const { memory, address } = block;
    this.#residency.ensure(memory, k, batch.tokens);
    this.#residency.ensure(memory, v, batch.tokens);
    this.#recorder.recordRows(memory, storeKv, areWhole(k, v), {
      rows: batch.tokens,
      type: cacheTypes.indexOf(cache.type),
      k: k.address,
      kStride: k.stride,
      v: v.address,
      vStride: v.stride,
      places: this.#tables.places(batch, pageBytes),
      base: address,
      valuesAt: kvHeads * headBytes,
      heads: kvHeads,
      headDim,
      headBytes,
    });
  }

  attend(
    out: WasmBuffer,
    q: WasmBuffer,
    cache: WasmCache,
    layer: number,
    batch: BatchLayout,
    options: AttentionOptions,
    /** Address of the heads' sinks, or 0. */
    sinks: number,
  ): void {
    const { kvHeads, headDim, pageBytes, headBytes, block } = paged(cache, layer);
    const { memory, address } = block;
    this.#residency.ensure(memory, q, batch.tokens);
    this.#residency.writes(memory, out, batch.tokens);
    this.#recorder.record(memory, attention, {
      rows: batch.tokens,
      type: cacheTypes.indexOf(cache.type),
      q: q.address,
      qStride: q.stride,
      out: out.address,
      outStride: out.stride,
      reaches: this.#tables.reaches(batch, options.window ?? 0, options.twoWay),
      base: address,
      pageBytes,
      valuesAt: kvHeads * headBytes,
      heads: options.heads,
      kvHeads,
      together: this.#together(batch.tokens * kvHeads),
      headDim,
      headBytes,
      scale: options.scale,
      cap: options.softcap ?? 0,
      sinks,
    });
  }

  /** A latent and what is rotated beside it, as one key. */
  storeLatent(cache: WasmCache, layer: number, latent: WasmBuffer, rotated: WasmBuffer, batch: BatchLayout): void {
    const { latentDim, headDim, pageBytes, block } = latentOf(cache, layer);
    const { memory, address } = block;
    this.#residency.ensure(memory, latent, batch.tokens);
    this.#residency.ensure(memory, rotated, batch.tokens);
    this.#recorder.recordRows(memory, storeLatent, areWhole(latent, rotated), {
      rows: batch.tokens,
      type: cacheTypes.indexOf(cache.type),
      latent: latent.address,
      latentStride: latent.stride,
      rotated: rotated.address,
      rotatedStride: rotated.stride,
      places: this.#tables.places(batch, pageBytes),
      base: address,
      latentDim,
      headDim,
    });
  }

  attendLatent(
    out: WasmBuffer,
    latent: WasmBuffer,
    rotated: WasmBuffer,
    cache: WasmCache,
    layer: number,
    batch: BatchLayout,
    { heads, scale }: LatentOptions,
  ): void {
    const { latentDim, headDim, pageBytes, block } = latentOf(cache, layer);
    const { memory, address } = block;
    this.#residency.ensure(memory, latent, batch.tokens);
    this.#residency.ensure(memory, rotated, batch.tokens);
    this.#residency.writes(memory, out, batch.tokens);
    this.#recorder.record(memory, latentAttention, {
      rows: batch.tokens,
      type: cacheTypes.indexOf(cache.type),
      latent: latent.address,
      latentStride: latent.stride,
      rotated: rotated.address,
      rotatedStride: rotated.stride,
      out: out.address,
      outStride: out.stride,
      reaches: this.#tables.reaches(batch, 0),
      base: address,
      pageBytes,
      heads,
      together: this.#together(batch.tokens * Math.ceil(heads / maxQueries)),
      latentDim,
      headDim,
      scale,
    });
  }

  /** Query heads to a call: half as many where there would be no call for every thread. */
  #together(groups: number): number {
    return groups < this.#recorder.threads ? maxQueries / 2 : maxQueries;
  }
}

/** Bytes of a page of one layer. */
function pageBytesOf({ kvHeads, headDim, latentDim }: PagedShape, type: CacheType): number {
  const odd = [headDim, latentDim ?? 0].find(dim => dim % (type === 'F16' ? 8 : 32));
  if (odd) throw new RealmError('kernel_unavailable', `no attention kernel for heads of ${odd} in a ${type} cache`);
  return (latentDim ? 1 : 2) * kvHeads * headBytes(type, headDim);
}

/** Bytes of a page over all layers. */
export function pageBytesIn(layers: readonly LayerShape[], type: CacheType): number {
  return layers.reduce((bytes, layer) => bytes + ('stateSize' in layer ? 0 : pageBytesOf(layer, type)), 0);
}

function bytesOf(layer: PagedLayer | StateLayer, unit: Unit): number {
  if ('stateSize' in layer) return unit === 'slot' ? layer.slotBytes : 0;
  return unit === 'page' ? layer.pageBytes : 0;
}

const sum = (layers: readonly (PagedLayer | StateLayer)[], unit: Unit): number =>
  layers.reduce((bytes, layer) => bytes + bytesOf(layer, unit), 0);

function latentOf(cache: WasmCache, index: number): PagedLayer & { latentDim: number } {
  const { latentDim, ...layer } = paged(cache, index);
  if (latentDim === undefined) throw new RealmError('internal_error', `layer ${index} keeps no latent`);
  return { ...layer, latentDim };
}

function paged({ layers }: WasmCache, index: number): PagedLayer {
  const layer = layers[index];
  if ('stateSize' in layer) throw new RealmError('internal_error', `layer ${index} has no keys and values`);
  return layer;
}

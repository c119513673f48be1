/** Records what writes and reads the key-value cache, and knows where its pages lie. */
import { RealmError } from '../../errors.ts';
import type { BatchLayout, KvShape, LayerShape } from '../backend.ts';
import { lacking } from '../lacking.ts';
import { Attention, type Cuts, type GpuAttention } from './attention/attend.ts';
import type { Context } from './context.ts';
import { allocate, usage } from './device.ts';
import type { GpuCache, GpuWorkBuffer, PagedLayer, StateLayer } from './handles.ts';
import { copyUnits, independent } from './ops/copy-units.ts';
import { storeKv } from './ops/store-kv.ts';
import { pageLayout } from './page-layout.ts';

/** What is copied, read and written as one: a page's keys and values, or the state in a slot, of all layers that have one. */
export type Unit = 'page' | 'slot';

export class Caches {
  readonly #context: Context;
  readonly #attention: Attention;
  #bytes = 0;
  /** Of each layer that was made: whether the device has no memory for it. */
  #refused: Promise<boolean>[] = [];

  constructor(context: Context, cuts: Partial<Cuts> = {}) {
    this.#context = context;
    this.#attention = new Attention(context, cuts);
  }

  /** Bytes of all of them. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Waits until every cache is in place. Throws `out_of_memory`. */
  async loaded(): Promise<void> {
    const refused = await Promise.all(this.#refused);
    this.#refused = [];
    if (!refused.includes(true)) return;
    throw new RealmError('out_of_memory', `the GPU has no ${this.#bytes} bytes left for caches; lower kv_tokens`);
  }

  /** Throws `kernel_unavailable`, `out_of_memory`; a device may say only later that it has no memory, see {@link loaded}. */
  create(shape: KvShape): GpuCache {
    for (const layer of shape.layers) this.#check(layer, shape);
    const layers = shape.layers.map(layer => this.#place(layer, shape));
    const [pageBytes, slotBytes] = [sum(layers, 'page'), sum(layers, 'slot')];
    this.#bytes += pageBytes * shape.pages + slotBytes * shape.slots;
    return { ...shape, owner: this.#context.owner, layers, pageBytes, slotBytes };
  }

  /** Before anything is made: a layer's pages are bound as one. */
  #check(layer: LayerShape, shape: KvShape): void {
    if ('latentDim' in layer && layer.latentDim !== undefined) throw lacking('latent');
    const { maxBufferSize, maxStorageBufferBindingSize } = this.#context.device.limits;
    const [bytes, most] = [bytesIn(layer, shape), Math.min(maxBufferSize, maxStorageBufferBindingSize)];
    if (bytes > most)
      throw new RealmError('out_of_memory', `a cache of ${bytes} bytes a layer; the GPU binds ${most} at once`);
  }

  #place(layer: LayerShape, shape: KvShape): PagedLayer | StateLayer {
    const kind = usage.storage | usage.copySrc | usage.copyDst;
    const size = Math.max(4, bytesIn(layer, shape));
    const { buffer, refused } = allocate(this.#context.device, 'cache', size, kind);
    this.#refused.push(refused);
    return 'stateSize' in layer ? { ...layer, buffer } : { ...pageLayout(layer, shape.type), buffer };
  }

  store(cache: GpuCache, layer: number, k: GpuWorkBuffer, v: GpuWorkBuffer, batch: BatchLayout): void {
    storeKv(this.#context, paged(cache, layer), k, v, batch);
  }

  attend(
    out: GpuWorkBuffer,
    q: GpuWorkBuffer,
    cache: GpuCache,
    layer: number,
    batch: BatchLayout,
    options: GpuAttention,
  ): void {
    this.#attention.attend(out, q, paged(cache, layer), batch, options);
  }

  copy(cache: GpuCache, unit: Unit, pairs: Int32Array): void {
    for (const run of independent(pairs))
      for (const layer of cache.layers) {
        const words = wordsOf(layer, unit);
        if (words > 0) copyUnits(this.#context, layer.buffer, words, run);
      }
  }

  /** As it is when this is called. */
  async read(cache: GpuCache, unit: Unit, index: number, target: Uint8Array): Promise<void> {
    const parts = cache.layers.map(layer => {
      const bytes = 4 * wordsOf(layer, unit);
      return { buffer: layer.buffer, at: index * bytes, bytes };
    });
    target.set(await this.#context.readback.read(parts.filter(({ bytes }) => bytes > 0)));
  }

  write(cache: GpuCache, unit: Unit, index: number, source: Uint8Array): void {
    const { queue } = this.#context.device.gpu;
    let from = 0;
    for (const layer of cache.layers) {
      const bytes = 4 * wordsOf(layer, unit);
      const part = source.subarray(from, from + bytes) as Uint8Array<ArrayBuffer>;
      if (bytes > 0) queue.writeBuffer(layer.buffer, index * bytes, part);
      from += bytes;
    }
  }
}

function bytesIn(layer: LayerShape, { type, pages, slots }: KvShape): number {
  return 'stateSize' in layer ? 4 * layer.stateSize * slots : 4 * pageLayout(layer, type).pageWords * pages;
}

function wordsOf(layer: PagedLayer | StateLayer, unit: Unit): number {
  if ('stateSize' in layer) return unit === 'slot' ? layer.stateSize : 0;
  return unit === 'page' ? layer.pageWords : 0;
}

const sum = (layers: readonly (PagedLayer | StateLayer)[], unit: Unit): number =>
  layers.reduce((bytes, layer) => bytes + 4 * wordsOf(layer, unit), 0);

function paged({ layers }: GpuCache, index: number): PagedLayer {
  const layer = layers[index];
  if (!layer || 'stateSize' in layer) throw new RealmError('internal_error', `layer ${index} has no keys and values`);
  return layer;
}

/** Records what writes and reads the key-value cache, and knows where its pages lie. */
import { RealmError } from '../../errors.ts';
import { cacheTypes, headBytes, maxQueries } from '../../kernels/attention.ts';
import type { AttentionOptions, BatchLayout, Buffer, KvCache, KvShape } from '../backend.ts';
import { areWhole, type WasmBuffer, type WasmCache } from './handles.ts';
import type { Memories } from './memories.ts';
import { attention } from './ops/attention.ts';
import { storeKv } from './ops/store-kv.ts';
import type { Recorder } from './recorder.ts';
import type { Residency } from './residency.ts';
import type { StepTables } from './step-tables.ts';

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

  create(shape: KvShape): WasmCache {
    const { type, headDim, kvHeads } = shape;
    if (headDim % (type === 'F16' ? 8 : 32))
      throw new RealmError('kernel_unavailable', `no attention kernel for heads of ${headDim} in a ${type} cache`);
    const perHead = headBytes(type, headDim);
    const layerPageBytes = 2 * kvHeads * perHead;
    const bytes = layerPageBytes * shape.pages;
    const blocks = Array.from({ length: shape.layers }, () => this.#memories.own(bytes, 'the key-value cache'));
    this.#bytes += bytes * shape.layers;
    return { ...shape, blocks, layerPageBytes, headBytes: perHead, pageBytes: layerPageBytes * shape.layers };
  }

  /** Visits a page's bytes of each layer; `at` is where they stand in the whole page. */
  eachLayer(cache: KvCache, page: number, visit: (bytes: Uint8Array, at: number) => void): void {
    const { blocks, layerPageBytes } = cache as WasmCache;
    blocks.forEach(({ memory, address }, layer) => {
      const start = address + page * layerPageBytes;
      visit(this.#memories.bytes(memory).subarray(start, start + layerPageBytes), layer * layerPageBytes);
    });
  }

  store(cache: KvCache, layer: number, k: Buffer, v: Buffer, batch: BatchLayout): void {
    const { kvHeads, headDim, layerPageBytes, headBytes, blocks, type } = cache as WasmCache;
    const { memory, address } = blocks[layer];
    const [keys, values] = [k as WasmBuffer, v as WasmBuffer];
    this.#residency.ensure(memory, keys, batch.tokens);
    this.#residency.ensure(memory, values, batch.tokens);
    this.#recorder.recordRows(memory, storeKv, areWhole(keys, values), {
      rows: batch.tokens,
      type: cacheTypes.indexOf(type),
      k: keys.address,
      kStride: keys.stride,
      v: values.address,
      vStride: values.stride,
      places: this.#tables.places(batch, layerPageBytes),
      base: address,
      valuesAt: kvHeads * headBytes,
      heads: kvHeads,
      headDim,
      headBytes,
    });
  }

  attend(out: Buffer, q: Buffer, cache: KvCache, layer: number, batch: BatchLayout, options: AttentionOptions): void {
    const { kvHeads, headDim, layerPageBytes, headBytes, blocks, type } = cache as WasmCache;
    const { memory, address } = blocks[layer];
    const [queries, target] = [q as WasmBuffer, out as WasmBuffer];
    this.#residency.ensure(memory, q, batch.tokens);
    this.#residency.writes(memory, out, batch.tokens);
    this.#recorder.record(memory, attention, {
      rows: batch.tokens,
      type: cacheTypes.indexOf(type),
      q: queries.address,
      qStride: queries.stride,
      out: target.address,
      outStride: target.stride,
      reaches: this.#tables.reaches(batch, options.window ?? 0),
      base: address,
      pageBytes: layerPageBytes,
      valuesAt: kvHeads * headBytes,
      heads: options.heads,
      kvHeads,
      together: this.#together(batch.tokens * kvHeads),
      headDim,
      headBytes,
      scale: options.scale,
      cap: options.softcap ?? 0,
    });
  }

  /** Query heads to a call: half as many where there would be no call for every thread. */
  #together(groups: number): number {
    return groups < this.#recorder.threads ? maxQueries / 2 : maxQueries;
  }
}

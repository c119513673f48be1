import { type BatchLayout, type CacheType, type KvCache, type KvShape, pageTokens, type Segment } from '../backend.ts';
import type { KvHead } from './attention.ts';
import { clampF16, nearestEven } from './math.ts';

const f = Math.fround;

/** Keys and values, [layers][pages][pageTokens][kvHeads * headDim] each, as numbers that the cache's type can hold. */
export class ReferenceKvCache implements KvCache {
  readonly layers: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly pages: number;
  readonly type: CacheType;
  readonly pageBytes: number;
  readonly #width: number;
  readonly #keys: Float32Array;
  readonly #values: Float32Array;

  constructor(shape: KvShape) {
    this.layers = shape.layers;
    this.kvHeads = shape.kvHeads;
    this.headDim = shape.headDim;
    this.pages = shape.pages;
    this.type = shape.type;
    this.#width = shape.kvHeads * shape.headDim;
    const elements = shape.layers * shape.pages * pageTokens * this.#width;
    this.#keys = new Float32Array(elements);
    this.#values = new Float32Array(elements);
    this.pageBytes = (elements / shape.pages) * 4 * 2;
  }

  /** Writes the rows of k and v, [tokens, kvHeads * headDim], at the positions of their segments. */
  store(layer: number, k: readonly Float32Array[], v: readonly Float32Array[], batch: BatchLayout): void {
    const held = this.type === 'F16' ? asF16 : asBytes;
    for (const segment of batch.segments) {
      for (let i = 0; i < segment.count; i++) {
        const at = this.#offset(layer, segment, segment.position + i);
        this.#keys.set(held(k[segment.start + i]), at);
        this.#values.set(held(v[segment.start + i]), at);
      }
    }
  }

  /** One head of a sequence's keys and values, by position. */
  head(layer: number, segment: Segment, head: number): KvHead {
    const view = (all: Float32Array) => (position: number) => {
      const at = this.#offset(layer, segment, position) + head * this.headDim;
      return all.subarray(at, at + this.headDim);
    };
    return { key: view(this.#keys), value: view(this.#values) };
  }

  /** Keys and values of a page, layer by layer. */
  readPage(page: number, target: Uint8Array): void {
    let at = 0;
    for (const part of this.#parts(page)) {
      target.set(part, at);
      at += part.length;
    }
  }

  writePage(page: number, source: Uint8Array): void {
    let at = 0;
    for (const part of this.#parts(page)) {
      part.set(source.subarray(at, at + part.length));
      at += part.length;
    }
  }

  #parts(page: number): Uint8Array[] {
    const bytes = pageTokens * this.#width * 4;
    return Array.from({ length: this.layers }, (_, layer) => {
      const at = (layer * this.pages + page) * bytes;
      return [this.#keys, this.#values].map(all => new Uint8Array(all.buffer, at, bytes));
    }).flat();
  }

  #offset(layer: number, segment: Segment, position: number): number {
    const page = segment.pages[Math.floor(position / pageTokens)];
    return ((layer * this.pages + page) * pageTokens + (position % pageTokens)) * this.#width;
  }
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

import { type BatchLayout, type KvCache, type KvShape, pageTokens, type Segment } from '../backend.ts';
import type { KvHead } from './attention.ts';
import { clampF16 } from './math.ts';

/** Keys and values as F16, [layers][pages][pageTokens][kvHeads * headDim] each. */
export class ReferenceKvCache implements KvCache {
  readonly layers: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly pages: number;
  readonly type = 'F16';
  readonly pageBytes: number;
  readonly #width: number;
  readonly #keys: Float16Array;
  readonly #values: Float16Array;

  constructor(shape: KvShape) {
    this.layers = shape.layers;
    this.kvHeads = shape.kvHeads;
    this.headDim = shape.headDim;
    this.pages = shape.pages;
    this.#width = shape.kvHeads * shape.headDim;
    const elements = shape.layers * shape.pages * pageTokens * this.#width;
    this.#keys = new Float16Array(elements);
    this.#values = new Float16Array(elements);
    this.pageBytes = (elements / shape.pages) * 2 * 2;
  }

  /** Writes the rows of k and v, [tokens, kvHeads * headDim], at the positions of their segments. */
  store(layer: number, k: readonly Float32Array[], v: readonly Float32Array[], batch: BatchLayout): void {
    for (const segment of batch.segments) {
      for (let i = 0; i < segment.count; i++) {
        const at = this.#offset(layer, segment, segment.position + i);
        this.#keys.set(k[segment.start + i].map(clampF16), at);
        this.#values.set(v[segment.start + i].map(clampF16), at);
      }
    }
  }

  /** One head of a sequence's keys and values, by position. */
  head(layer: number, segment: Segment, head: number): KvHead {
    const view = (all: Float16Array) => (position: number) => {
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
    const bytes = pageTokens * this.#width * 2;
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

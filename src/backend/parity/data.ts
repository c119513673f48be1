import { byteLength, formats } from '../../quant/formats.ts';
import { setHalfNibbles } from '../../quant/nibbles.ts';
import type { QuantType } from '../../quant/types.ts';
import { type BatchLayout, type MatrixSource, pageTokens, type Segment } from '../backend.ts';

/** A generator of numbers in [0, 1): mulberry32. The same seed gives the same data on every machine. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `count` values in (-scale, scale), with a few ten times larger: activations have outliers. */
export function floats(seed: number, count: number, scale = 1): Float32Array {
  const next = random(seed);
  return Float32Array.from({ length: count }, () => (next() * 2 - 1) * scale * (next() < 0.02 ? 10 : 1));
}

/**
 * Blocks of random bits with sensible scales of either sign, some of them subnormal as F16: every integer that a format can
 * hold occurs.
 */
export function weightBytes(type: QuantType, elements: number, seed: number): Uint8Array {
  const next = random(seed);
  const bytes = Uint8Array.from({ length: byteLength(type, elements) }, () => next() * 256);
  const view = new DataView(bytes.buffer);
  const { offsets, kind } = formats[type].scales;
  for (let block = 0; block < bytes.length; block += formats[type].blockBytes) {
    for (const offset of offsets) {
      const value = (next() * 0.2 - 0.1) * (next() < 0.25 ? 2 ** -12 : 1);
      if (kind === 'F16') view.setFloat16(block + offset, value, true);
      if (kind === 'F32') view.setFloat32(block + offset, value, true);
      if (kind === 'F16x4') setHalfNibbles(view, block + offset, value);
      if (kind === 'UE4M3') view.setUint8(block + offset, 127 * next());
      if (kind === 'E8M0') view.setUint8(block + offset, 115 + 12 * next());
      if (kind === 'BF16') view.setUint16(block + offset, bf16Bits(value), true);
    }
  }
  return bytes;
}

function bf16Bits(value: number): number {
  return new DataView(Float32Array.of(value).buffer).getUint16(2, true);
}

/** A matrix held in memory. */
export function source(type: QuantType, rows: number, columns: number, bytes: Uint8Array): MatrixSource {
  const rowBytes = byteLength(type, columns);
  return {
    name: `test.${type}`,
    type,
    rows,
    columns,
    async readRows(first, count, target) {
      target.set(bytes.subarray(first * rowBytes, (first + count) * rowBytes));
    },
  };
}

/** Some tokens of one sequence: `count` of them from `position` on. */
export interface Span {
  readonly position: number;
  readonly count: number;
  readonly pages: Int32Array;
}

/** Block tables of sequences of at most `tokens` tokens each, by their number: the pages of all of them, shuffled. */
export function shuffledPages(sequences: number, tokens: number, seed: number): (sequence: number) => Int32Array {
  const each = Math.ceil(tokens / pageTokens);
  const next = random(seed);
  const order = Array.from({ length: sequences * each }, (_, page) => ({ page, key: next() }));
  const pages = order.sort((a, b) => a.key - b.key).map(({ page }) => page);
  return sequence => Int32Array.from(pages.slice(sequence * each, (sequence + 1) * each));
}

/** One batch of the spans, one after the other. */
export function layout(spans: readonly Span[]): BatchLayout {
  const segments: Segment[] = [];
  let tokens = 0;
  for (const span of spans) {
    segments.push({ ...span, start: tokens });
    tokens += span.count;
  }
  return { tokens, segments };
}

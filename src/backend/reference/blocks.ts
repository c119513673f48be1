import { iq4Values } from '../../quant/iq4_nl.ts';
import type { QuantType } from '../../quant/types.ts';

/**
 * The integers in one block of a quantised weight, before any scale is applied:
 * weight = d * scales[i / 16] * ints[i] - m * mins[i / 16] (formats of 32 without sub-scales have scales of 1; Q4_1 and
 * Q5_1 add their minimum: weight = d * ints[i] + m).
 */
export interface Block {
  /** Offset applied: Q4_0 holds u - 8, Q6_K u - 32, IQ4 the table's values. [blockSize] */
  readonly ints: Int8Array;
  /** One for each 16 elements. */
  readonly scales: Int16Array;
  readonly mins: Int16Array;
  d: number;
  m: number;
}

/** How a format's integers are unpacked; sizes stand in quant/formats.ts. */
export interface BlockLayout {
  /** How the block's minimum enters the product: not, as + m * sum, or as - m * Σ mins * sums. */
  readonly minimum: 'none' | 'block' | 'sub';
  unpack(bytes: DataView, at: number, block: Block): void;
}

/** An empty block of `size` elements, scales 1. */
export function newBlock(size: number): Block {
  const groups = size / 16;
  return {
    ints: new Int8Array(size),
    scales: new Int16Array(groups).fill(1),
    mins: new Int16Array(groups),
    d: 0,
    m: 0,
  };
}

/** 16 bytes: element i in the low nibbles, element i + 16 in the high ones. */
function nibbles(bytes: DataView, at: number, value: (u: number, i: number) => number, ints: Int8Array, to = 0): void {
  for (let i = 0; i < 16; i++) {
    const byte = bytes.getUint8(at + i);
    ints[to + i] = value(byte & 15, i);
    ints[to + i + 16] = value(byte >> 4, i + 16);
  }
}

function q4_0(bytes: DataView, at: number, block: Block): void {
  block.d = bytes.getFloat16(at, true);
  nibbles(bytes, at + 2, u => u - 8, block.ints);
}

function q4_1(bytes: DataView, at: number, block: Block): void {
  block.d = bytes.getFloat16(at, true);
  block.m = bytes.getFloat16(at + 2, true);
  nibbles(bytes, at + 4, u => u, block.ints);
}

function q5_0(bytes: DataView, at: number, block: Block): void {
  block.d = bytes.getFloat16(at, true);
  const high = bytes.getUint32(at + 2, true);
  nibbles(bytes, at + 6, (u, i) => (u | (((high >>> i) & 1) << 4)) - 16, block.ints);
}

function q5_1(bytes: DataView, at: number, block: Block): void {
  block.d = bytes.getFloat16(at, true);
  block.m = bytes.getFloat16(at + 2, true);
  const high = bytes.getUint32(at + 4, true);
  nibbles(bytes, at + 8, (u, i) => u | (((high >>> i) & 1) << 4), block.ints);
}

function q8_0(bytes: DataView, at: number, block: Block): void {
  block.d = bytes.getFloat16(at, true);
  for (let i = 0; i < 32; i++) block.ints[i] = bytes.getInt8(at + 2 + i);
}

function iq4_nl(bytes: DataView, at: number, block: Block): void {
  block.d = bytes.getFloat16(at, true);
  nibbles(bytes, at + 2, u => iq4Values[u], block.ints);
}

/** scales u8[16] (low nibble scale, high nibble minimum), 2-bit quants u8[64], d, dmin. */
function q2_K(bytes: DataView, at: number, block: Block): void {
  for (let s = 0; s < 16; s++) {
    const byte = bytes.getUint8(at + s);
    block.scales[s] = byte & 15;
    block.mins[s] = byte >> 4;
  }
  for (let i = 0; i < 256; i++) block.ints[i] = twoBits(bytes, at + 16, i);
  block.d = bytes.getFloat16(at + 80, true);
  block.m = bytes.getFloat16(at + 82, true);
}

/** Two-bit element i of 256 where each 32 bytes hold 128 elements: four planes of 32. */
function twoBits(bytes: DataView, at: number, i: number): number {
  const byte = bytes.getUint8(at + (i >> 7) * 32 + (i & 31));
  return (byte >> (((i >> 5) & 3) * 2)) & 3;
}

/** High bits u8[32] (clear means - 4), 2-bit quants u8[64], 6-bit scales u8[12], d. */
function q3_K(bytes: DataView, at: number, block: Block): void {
  for (let i = 0; i < 256; i++) {
    const high = (bytes.getUint8(at + (i & 31)) >> (i >> 5)) & 1;
    block.ints[i] = twoBits(bytes, at + 32, i) - (high ? 0 : 4);
  }
  for (let s = 0; s < 16; s++) {
    const low = (bytes.getUint8(at + 96 + (s & 7)) >> (s < 8 ? 0 : 4)) & 15;
    const top = (bytes.getUint8(at + 104 + (s & 3)) >> ((s >> 2) * 2)) & 3;
    block.scales[s] = (low | (top << 4)) - 32;
  }
  block.d = bytes.getFloat16(at + 108, true);
}

/** The twelve bytes of Q4_K and Q5_K: eight 6-bit scales and eight 6-bit minimums, each for 32 elements. */
function sixBitScales(bytes: DataView, at: number, block: Block): void {
  const byte = (i: number) => bytes.getUint8(at + i);
  for (let s = 0; s < 8; s++) {
    const scale = s < 4 ? byte(s) & 63 : (byte(s + 4) & 15) | ((byte(s - 4) >> 6) << 4);
    const min = s < 4 ? byte(s + 4) & 63 : (byte(s + 4) >> 4) | ((byte(s) >> 6) << 4);
    block.scales[2 * s] = block.scales[2 * s + 1] = scale;
    block.mins[2 * s] = block.mins[2 * s + 1] = min;
  }
}

/** Nibble of element i where each 32 bytes hold 64 elements: 32 low nibbles, then 32 high ones. */
function nibble64(bytes: DataView, at: number, i: number): number {
  const byte = bytes.getUint8(at + (i >> 6) * 32 + (i & 31));
  return i & 32 ? byte >> 4 : byte & 15;
}

/** d, dmin, scales u8[12], nibbles u8[128]. */
function q4_K(bytes: DataView, at: number, block: Block): void {
  block.d = bytes.getFloat16(at, true);
  block.m = bytes.getFloat16(at + 2, true);
  sixBitScales(bytes, at + 4, block);
  for (let i = 0; i < 256; i++) block.ints[i] = nibble64(bytes, at + 16, i);
}

/** d, dmin, scales u8[12], high bits u8[32], nibbles u8[128]. */
function q5_K(bytes: DataView, at: number, block: Block): void {
  block.d = bytes.getFloat16(at, true);
  block.m = bytes.getFloat16(at + 2, true);
  sixBitScales(bytes, at + 4, block);
  for (let i = 0; i < 256; i++) {
    const high = (bytes.getUint8(at + 16 + (i & 31)) >> (i >> 5)) & 1;
    block.ints[i] = nibble64(bytes, at + 48, i) | (high << 4);
  }
}

/** Low nibbles u8[128], high two bits u8[64], scales i8[16], d. Each 64 + 32 bytes hold 128 elements. */
function q6_K(bytes: DataView, at: number, block: Block): void {
  for (let i = 0; i < 256; i++) {
    const byte = bytes.getUint8(at + (i >> 7) * 64 + (i & 63));
    const low = i & 64 ? byte >> 4 : byte & 15;
    block.ints[i] = (low | (twoBits(bytes, at + 128, i) << 4)) - 32;
  }
  for (let s = 0; s < 16; s++) block.scales[s] = bytes.getInt8(at + 192 + s);
  block.d = bytes.getFloat16(at + 208, true);
}

/** d f32, quants i8[256], sums i16[16] (not needed). */
function q8_K(bytes: DataView, at: number, block: Block): void {
  block.d = bytes.getFloat32(at, true);
  for (let i = 0; i < 256; i++) block.ints[i] = bytes.getInt8(at + 4 + i);
}

/** d, high scale bits u16, low scale nibbles u8[4], nibbles u8[128]. */
function iq4_xs(bytes: DataView, at: number, block: Block): void {
  block.d = bytes.getFloat16(at, true);
  const high = bytes.getUint16(at + 2, true);
  for (let s = 0; s < 8; s++) {
    const low = (bytes.getUint8(at + 4 + (s >> 1)) >> (4 * (s & 1))) & 15;
    const scale = (low | (((high >> (2 * s)) & 3) << 4)) - 32;
    block.scales[2 * s] = block.scales[2 * s + 1] = scale;
    nibbles(bytes, at + 8 + 16 * s, u => iq4Values[u], block.ints, 32 * s);
  }
}

/** Every block format that is multiplied as integers. */
export const blockLayouts: Partial<Record<QuantType, BlockLayout>> = {
  Q4_0: { minimum: 'none', unpack: q4_0 },
  Q4_1: { minimum: 'block', unpack: q4_1 },
  Q5_0: { minimum: 'none', unpack: q5_0 },
  Q5_1: { minimum: 'block', unpack: q5_1 },
  Q8_0: { minimum: 'none', unpack: q8_0 },
  IQ4_NL: { minimum: 'none', unpack: iq4_nl },
  Q2_K: { minimum: 'sub', unpack: q2_K },
  Q3_K: { minimum: 'none', unpack: q3_K },
  Q4_K: { minimum: 'sub', unpack: q4_K },
  Q5_K: { minimum: 'sub', unpack: q5_K },
  Q6_K: { minimum: 'none', unpack: q6_K },
  Q8_K: { minimum: 'none', unpack: q8_K },
  IQ4_XS: { minimum: 'none', unpack: iq4_xs },
};

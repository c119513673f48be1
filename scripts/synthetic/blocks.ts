import { newBlock, type QuantFormat, viewBlocks } from '../../src/quant/format.ts';
import { formats } from '../../src/quant/formats.ts';
import { iq4Values } from '../../src/quant/iq4_nl.ts';
import { e2m1Values } from '../../src/quant/mxfp4.ts';
import { setHalfNibbles } from '../../src/quant/nibbles.ts';
import type { QuantType } from '../../src/quant/types.ts';

/**
 * Turns one block of random bytes into weights with mean 0 and the standard deviation `deviation`: sets its scales and leaves
 * the quantised values random. `view` is the block's bytes. Scales vary from block to block and stay normal f16 numbers.
 */
type Shape = (view: DataView, deviation: number) => void;

/** Root mean square of the values that a code of the format takes, before its scale. */
const rms = (values: readonly number[]) => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / values.length);
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

const rms4 = rms(range(-8, 7));
const centred4 = rms(range(0, 15).map(q => q - 7.5));
const rms5 = rms(range(-16, 15));
const centred5 = rms(range(0, 31).map(q => q - 15.5));
const rms8 = rms(range(-128, 127));
const rmsE2m1 = rms([...e2m1Values]);
const rmsIq4 = rms([...iq4Values]);
/** Scales of the K formats are drawn from 8 to 15: large enough to vary, small enough to keep d above f16's subnormal range. */
const kScale = rms(range(8, 15));

/** A scale of either sign, 0.5 to 1.5 times as large as `size`, drawn from the block's own byte `from`. */
function vary(view: DataView, from: number, size: number): number {
  const byte = view.getUint8(from);
  return (byte & 1 ? -size : size) * (0.5 + byte / 255);
}

const setD = (view: DataView, at: number, d: number) => view.setFloat16(at, d, true);

/** A minimum that centres the block; a fraction of it less or more, so that no kernel gets away with ignoring it. */
function centred(view: DataView, at: number, d: number, middle: number): void {
  setD(view, at, d);
  setD(view, at + 2, -d * middle);
}

/** Eight scales and eight minimums of 6 bits in 12 bytes, minimums within 1 of the scales: below 16 all of them fit in 4 bits. */
function kScales(view: DataView, at: number): void {
  for (let k = 0; k < 4; k++) {
    const scale = 8 + (view.getUint8(at + k) & 7);
    const other = 8 + (view.getUint8(at + 4 + k) & 7);
    view.setUint8(at + k, scale);
    view.setUint8(at + 4 + k, scale ^ (view.getUint8(at + 8 + k) & 1));
    view.setUint8(at + 8 + k, other | ((other ^ (scale & 1)) << 4));
  }
}

/** By hand where random scales of parts would not do; every other format is {@link levelled}. */
const shapes: Readonly<Partial<Record<QuantType, Shape>>> = {
  F32: (view, deviation) => view.setFloat32(0, uniform(view.getUint32(0), deviation), true),
  F16: (view, deviation) => view.setFloat16(0, uniform(view.getUint16(0) * 65537, deviation), true),
  BF16: (view, deviation) => {
    // The upper half of a float32.
    const value = new DataView(new ArrayBuffer(4));
    value.setFloat32(0, uniform(view.getUint16(0) * 65537, deviation));
    view.setUint16(0, value.getUint16(0), true);
  },
  NVFP4: (view, deviation) => {
    // In eighths of a power of two, which halves of an E4M3 have down to 2^-7.
    for (let part = 0; part < 4; part++) {
      const scale = Math.abs(vary(view, part, deviation / rmsE2m1));
      const exponent = Math.max(-7, Math.floor(Math.log2(scale)));
      const code = 8 * (exponent + 7) + Math.round((8 * scale) / 2 ** exponent);
      view.setUint8(part, Math.max(1, Math.min(0x7e, code)));
    }
  },
  Q4_0: (view, deviation) => setD(view, 0, vary(view, 0, deviation / rms4)),
  Q4_1: (view, deviation) => centred(view, 0, vary(view, 0, deviation / centred4), 7.5),
  Q5_0: (view, deviation) => setD(view, 0, vary(view, 0, deviation / rms5)),
  Q5_1: (view, deviation) => centred(view, 0, vary(view, 0, deviation / centred5), 15.5),
  Q8_0: (view, deviation) => setD(view, 0, vary(view, 0, deviation / rms8)),
  Q2_K: (view, deviation) => {
    for (let k = 0; k < 16; k++) {
      const scale = 8 + (view.getUint8(k) & 7);
      view.setUint8(k, scale | ((scale ^ (k & 1)) << 4));
    }
    const d = vary(view, 80, deviation / (kScale * rms(range(0, 3).map(q => q - 1.5))));
    setD(view, 80, d);
    setD(view, 82, 1.5 * d);
  },
  Q3_K: (view, deviation) => setD(view, 108, vary(view, 108, deviation / (rms(range(-32, 31)) * rms(range(-4, 3))))),
  Q4_K: (view, deviation) => {
    const d = vary(view, 0, deviation / (kScale * centred4));
    setD(view, 0, d);
    setD(view, 2, 7.5 * d);
    kScales(view, 4);
  },
  Q5_K: (view, deviation) => {
    const d = vary(view, 0, deviation / (kScale * centred5));
    setD(view, 0, d);
    setD(view, 2, 15.5 * d);
    kScales(view, 4);
  },
  Q6_K: (view, deviation) => {
    for (let k = 0; k < 16; k++) view.setInt8(192 + k, (view.getUint8(192 + k) & 15) - 8);
    setD(view, 208, vary(view, 208, deviation / (rms4 * rms(range(-32, 31)))));
  },
  Q8_K: (view, deviation) => {
    view.setFloat32(0, vary(view, 0, deviation / rms8), true);
    for (let group = 0; group < 16; group++) {
      let sum = 0;
      for (let i = 0; i < 16; i++) sum += view.getInt8(4 + 16 * group + i);
      view.setInt16(260 + 2 * group, sum, true);
    }
  },
  IQ4_NL: (view, deviation) => setD(view, 0, vary(view, 0, deviation / rmsIq4)),
  IQ4_XS: (view, deviation) => {
    // Scales of -2, -1, 1 and 2, stored with an offset of 32.
    let high = 0;
    let low = 0;
    for (let k = 0; k < 8; k++) {
      const chosen = (view.getUint8(8 + 16 * k) >> 3) & 3;
      const scale = 30 + chosen + (chosen >> 1);
      high |= (scale >> 4) << (2 * k);
      low |= (scale & 15) << (4 * k);
    }
    setD(view, 0, vary(view, 0, deviation / (rmsIq4 * rms([1, 2]))));
    view.setUint16(2, high, true);
    view.setInt32(4, low, true);
  },
};

/** Parts keep their random scales; the block's scale, and its minimum, are what makes its weights come out right. */
export const levelled =
  ({ blockSize, fields, integers }: QuantFormat): Shape =>
  (view, deviation) => {
    if (!integers) throw new Error('floats have a shape of their own');
    const block = newBlock(blockSize);
    const { scale, factor, minimum, minimumOf, unpack } = integers;
    unpack(viewBlocks(new Uint8Array(view.buffer, view.byteOffset, view.byteLength)), 0, block);
    const values = Array.from(block.ints, (q, i) => q * (block.scales[i >> 4] ?? 1));
    const mean = (numbers: readonly number[]) => numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
    const middle = minimum === undefined ? 0 : mean(values);
    const at = (field: string) => fields[field]?.offset ?? 0;
    const d = vary(view, at(scale), deviation / factor / (rms(values.map(value => value - middle)) || 1));
    const kind = fields[scale]?.type;
    if (kind === 'E8M0') view.setUint8(at(scale), 127 + Math.round(Math.log2(Math.abs(d))));
    else if (kind === 'F16x4') setHalfNibbles(view, at(scale), d);
    else if (kind === 'F32') view.setFloat32(at(scale), d, true);
    else setD(view, at(scale), d);
    if (minimumOf === 'block') setD(view, at(minimum ?? ''), -d * middle);
    if (minimumOf === 'parts') setD(view, at(minimum ?? ''), (d * middle) / Math.max(1, mean([...block.mins])));
  };

/** A uniform value with mean 0 and standard deviation `deviation` from 32 random bits. */
function uniform(bits: number, deviation: number): number {
  return (bits / 2 ** 31 - 1) * deviation * Math.sqrt(3);
}

/** Shapes every block in `bytes`, which hold random bytes; see {@link Shape}. */
export function shapeBlocks(type: QuantType, bytes: Uint8Array, deviation: number): void {
  const { blockBytes } = formats[type];
  const shape = shapes[type] ?? levelled(formats[type]);
  for (let at = 0; at < bytes.length; at += blockBytes) {
    shape(new DataView(bytes.buffer, bytes.byteOffset + at, blockBytes), deviation);
  }
}

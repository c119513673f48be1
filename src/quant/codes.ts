import type { Field } from './fields.ts';
import { readSixBits } from './six-bits.ts';

/**
 * Some bits of every code, in a field of their own: `lanes` bytes beside each other hold the lowest `width` bits for as many
 * codes, the next bits for the next codes, and so on; then come the next `lanes` bytes. Six bits are packed as `six-bits.ts` says.
 */
export interface Bits<F extends string = string> {
  readonly field: F;
  readonly width: 1 | 2 | 4 | 6 | 8;
  readonly lanes: number;
}

/** Small integers in a block: where their bits stand, lowest first, and what a code stands for. */
export interface Codes<F extends string = string> {
  readonly bits: readonly [Bits<F>] | readonly [Bits<F>, Bits<F>];
  /** Subtracted from every code: a power of two. */
  readonly subtract?: number;
  /** A code stands for an odd number: 2 c less the largest code. */
  readonly odd?: boolean;
  /** Codes of eight bits are two's complement. */
  readonly signed?: boolean;
  /** The values that the codes are indices of. */
  readonly table?: Int8Array;
}

/** Integer scales of a block's parts; where the block has a minimum, as many integer minimums follow. */
export interface Parts<F extends string = string> extends Codes<F> {
  /** Elements that share one. */
  readonly size: 16 | 32;
}

export const bits = <F extends string>(field: F, width: Bits['width'], lanes: number): Bits<F> => ({
  field,
  width,
  lanes,
});

/** How codes are stored, as the kernels' tables know it: width x lanes, lowest bits first, and what codes stand for. */
export function codeKey({ bits, table, signed, odd }: Codes): string {
  const stored = bits.map(({ width, lanes }) => `${width}x${lanes}`).join('+');
  return `${stored}${table ? ' of a table' : ''}${signed ? ' signed' : ''}${odd ? ' odd' : ''}`;
}

/** Bits of a whole code. */
export const codeWidth = ({ bits }: Codes): number => bits.reduce((sum, { width }) => sum + width, 0);

/** Reads what the codes of the block at `at` stand for into `values`, as many as these hold. */
export type ReadCodes = (bytes: Uint8Array, at: number, values: Int8Array) => void;

/** One loop for either number of pieces: embeddings are decoded on the way of every token. */
export function codeReader(codes: Codes, fields: Readonly<Record<string, Field>>, count: number): ReadCodes {
  const meaning = meaningOf(codes);
  const [low, high] = codes.bits;
  const { offset } = fields[low.field] as Field;
  if (low.width === 6) return (bytes, at, values) => readSixBits(bytes, at + offset, meaning, values);
  const [place, mask] = [placeBits(low, fields, count), 2 ** low.width - 1];
  if (!high)
    return (bytes, at, values) => {
      for (let i = 0; i < count; i++) values[i] = meaning[(bytes[at + (place[i] >> 3)] >> (place[i] & 7)) & mask];
    };
  const [upper, upperMask] = [placeBits(high, fields, count), 2 ** high.width - 1];
  const { width } = low;
  return (bytes, at, values) => {
    for (let i = 0; i < count; i++) {
      const code = (bytes[at + (place[i] >> 3)] >> (place[i] & 7)) & mask;
      const above = (bytes[at + (upper[i] >> 3)] >> (upper[i] & 7)) & upperMask;
      values[i] = meaning[code | (above << width)];
    }
  };
}

/** What every code stands for. */
function meaningOf(codes: Codes): Int8Array {
  const { table, signed, odd, subtract = 0 } = codes;
  const count = 2 ** codeWidth(codes);
  return Int8Array.from({ length: count }, (_, code) => {
    if (odd) return 2 * code - (count - 1);
    if (table) return table[code] as number;
    return signed ? (code << 24) >> 24 : code - subtract;
  });
}

/** The first bit of every code's, counted from the block's first bit. */
function placeBits({ field, width, lanes }: Bits, fields: Readonly<Record<string, Field>>, count: number): Uint16Array {
  const { offset } = fields[field] as Field;
  const planes = 8 / width;
  return Uint16Array.from({ length: count }, (_, i) => {
    const byte = offset + Math.floor(i / (lanes * planes)) * lanes + (i % lanes);
    return 8 * byte + width * (Math.floor(i / lanes) % planes);
  });
}

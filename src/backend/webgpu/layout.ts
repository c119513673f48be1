/**
 * How weights lie on the device. Bits that belong to one kind of thing form a plane, blocks and rows one behind the other, so
 * that neighbouring invocations read neighbouring words. It is a permutation of the file's bits: nothing is decoded, nothing grows.
 *
 * Formats of integers: a *piece* is 32 columns, what one invocation multiplies. A plane of codes of `w` bits has `w` words for
 * it: bits w * t of byte b in word j belong to column 4 * (j + w * t) + b; Q4_0 has that order in the file.
 *
 * Floats: 16 bytes of a row, then the same columns of the next row; 32 rows so, then their next 16 bytes. There an invocation is
 * a row: docs/numerics.md sums floats in one chain.
 */
import type { Bits, Codes } from '../../quant/codes.ts';
import type { Field } from '../../quant/fields.ts';
import type { QuantFormat } from '../../quant/format.ts';
import { formats } from '../../quant/formats.ts';
import type { QuantType } from '../../quant/types.ts';
import { plainIntegers } from './plain-format.ts';

/** Columns of a piece. */
export const pieceColumns = 32;
/** Rows of floats that lie together. Weights are uploaded and split in multiples of that. */
export const rowsTogether = 32;

export type PlaneName = 'low' | 'high' | 'parts' | 'partsHigh' | 'numbers';
export const planeNames: readonly PlaneName[] = ['low', 'high', 'parts', 'partsHigh', 'numbers'];

/** Some bits of a block on their way into its plane. */
export interface Move {
  /** The even byte of the block that the bits are counted from. */
  readonly from: number;
  readonly shift: number;
  readonly mask: number;
  /** First bit in the plane's part of the block. */
  readonly to: number;
  /** Four neighbouring codes of so many bits become the lowest bits of four bytes. */
  readonly spread?: 1 | 2;
}

export interface Plane {
  /** Of a block. */
  readonly bits: number;
  /** Four codes at once, in four bytes. */
  readonly quads: readonly Move[];
  /** 16 bits at most. */
  readonly single: readonly Move[];
}

export interface Layout {
  readonly type: QuantType;
  /** Elements and bytes of a block; floats: one element. */
  readonly blockSize: number;
  readonly blockBytes: number;
  /** Activations that share a scale where they are multiplied with these; 1: floats, multiplied as they are. */
  readonly inputBlock: 1 | 32 | 256;
  readonly planes: Readonly<Partial<Record<PlaneName, Plane>>>;
}

const layouts = new Map<QuantType, Layout>();

export function layoutOf(type: QuantType): Layout {
  const known = layouts.get(type);
  if (known) return known;
  const { blockSize, blockBytes, integers } = formats[type] as QuantFormat;
  const inputBlock = integers?.inputBlock ?? 1;
  const made: Layout = { type, blockSize, blockBytes, inputBlock, planes: planesOf(formats[type]) };
  layouts.set(type, made);
  return made;
}

/** Words of 16 bytes that a plane of so many rows takes. */
export function planeQuads({ bits }: Plane, { blockSize }: Layout, rows: number, columns: number): number {
  return Math.ceil((rows * (columns / blockSize) * bits) / 128);
}

/** Words of 16 bytes of a row of floats. */
export const floatQuads = ({ blockBytes }: Layout, columns: number): number => Math.ceil((columns * blockBytes) / 16);

function planesOf(format: QuantFormat): Layout['planes'] {
  const { blockSize } = format;
  const integers = plainIntegers(format);
  if (!integers) return {};
  const fields = evenFields(format);
  const { weights, parts, scale, minimum } = integers;
  const [low, high] = weights.bits;
  const count = parts ? (blockSize / parts.size) * (minimum ? 2 : 1) : 0;
  const order = parts && partOrder(count, minimum !== undefined, parts.size);
  const [partsLow, partsHigh] = parts ? placesOf(parts, fields, count) : [];
  return {
    low: codePlane(low, fields, blockSize),
    ...(high && { high: codePlane(high, fields, blockSize) }),
    ...(partsLow && { parts: singles(partsLow, order!) }),
    ...(partsHigh && { partsHigh: singles(partsHigh, order!) }),
    numbers: numbersPlane([scale, ...(minimum === undefined ? [] : [minimum])].map(name => fields[name]!)),
  };
}

/** Where the fields of a block begin that pack.ts has made even: a scale of one byte has another behind it. */
const evenFields = ({ fields, blockBytes }: QuantFormat): QuantFormat['fields'] =>
  blockBytes % 2 === 0
    ? fields
    : Object.fromEntries(
        Object.entries(fields).map(([name, field]) => [name, { ...field, offset: field.offset && field.offset + 1 }]),
      );

function codePlane({ field, width, lanes }: Bits, fields: QuantFormat['fields'], blockSize: number): Plane {
  const { offset } = fields[field]!;
  const quads: Move[] = [];
  for (let column = 0; column < blockSize; column += 4) {
    const [piece, group] = [Math.floor(column / pieceColumns), (column % pieceColumns) / 4];
    const to = 32 * (width * piece + (group % width)) + width * Math.floor(group / width);
    quads.push({ ...sourceOf(column, width, lanes, offset), to });
  }
  return { bits: blockSize * width, quads, single: [] };
}

/** Where four codes from `column` on stand in the block. */
function sourceOf(column: number, width: number, lanes: number, offset: number): Omit<Move, 'to'> {
  if (width === 8) return { from: offset + column, shift: 0, mask: -1 };
  if (lanes === 1 && width !== 4) {
    const bit = column * width;
    return { from: offset + 2 * (bit >> 4), shift: bit & 15, mask: 2 ** (4 * width) - 1, spread: width as 1 | 2 };
  }
  const planes = 8 / width;
  const from = offset + Math.floor(column / (lanes * planes)) * lanes + (column % lanes);
  return { from, shift: width * (Math.floor(column / lanes) % planes), mask: (2 ** width - 1) * 0x01010101 };
}

/** The places of the codes in a block, by their first bits; lower bits, and higher ones where these stand apart. */
type Places = { readonly width: number; readonly first: readonly number[] };

function placesOf({ bits }: Codes, fields: QuantFormat['fields'], count: number): Places[] {
  const [only] = bits;
  if (only.width === 6) return sixBitPlaces(fields[only.field]!);
  return bits.map(({ field, width, lanes }) => {
    const { offset } = fields[field]!;
    const planes = 8 / width;
    const first = Array.from({ length: count }, (_, i) => {
      const byte = offset + Math.floor(i / (lanes * planes)) * lanes + (i % lanes);
      return 8 * byte + width * (Math.floor(i / lanes) % planes);
    });
    return { width, first };
  });
}

/** As src/quant/six-bits.ts reads them: four lower bits and two higher ones of each code. */
function sixBitPlaces({ offset }: Field): Places[] {
  const at = (byte: number, bit: number) => 8 * (offset + byte) + bit;
  const k = [0, 1, 2, 3];
  const low = [
    ...k.map(i => at(i, 0)),
    ...k.map(i => at(8 + i, 0)),
    ...k.map(i => at(4 + i, 0)),
    ...k.map(i => at(8 + i, 4)),
  ];
  const high = [
    ...k.map(i => at(i, 4)),
    ...k.map(i => at(i, 6)),
    ...k.map(i => at(4 + i, 4)),
    ...k.map(i => at(4 + i, 6)),
  ];
  return [
    { width: 4, first: low },
    { width: 2, first: high },
  ];
}

/** A piece's scales, then its minimums, then the next piece's. */
function partOrder(count: number, minimums: boolean, size: 16 | 32): number[] {
  const scales = minimums ? count / 2 : count;
  const each = pieceColumns / size;
  return Array.from({ length: scales / each }, (_, piece) => {
    const own = Array.from({ length: each }, (_, i) => piece * each + i);
    return minimums ? [...own, ...own.map(i => scales + i)] : own;
  }).flat();
}

function singles({ width, first }: Places, order: readonly number[]): Plane {
  const single = order.map((code, i) => moveOf(first[code]!, width, i * width));
  return { bits: order.length * width, quads: [], single };
}

function moveOf(bit: number, width: number, to: number): Move {
  return { from: 2 * (bit >> 4), shift: bit & 15, mask: 2 ** width - 1, to };
}

/** Scale and minimum of a block beside each other. */
function numbersPlane(fields: readonly Field[]): Plane {
  const [first] = fields as [Field];
  if (first.bytes === 1) return { bits: 8, quads: [], single: [moveOf(8 * first.offset, 8, 0)] };
  const halves = fields.flatMap(({ offset, bytes }) =>
    Array.from({ length: bytes / 2 }, (_, i) => 8 * offset + 16 * i),
  );
  return { bits: 16 * halves.length, quads: [], single: halves.map((bit, i) => moveOf(bit, 16, 16 * i)) };
}

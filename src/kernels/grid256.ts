/**
 * How weights that are indices into a codebook unpack, to a block of a panel: a register holds the same columns of four rows, so
 * indices and signs are shifts of whole registers, and only the look-up itself goes lane by lane. What is looked up is stored
 * before it gets its signs: those the re-vectoriser gives to eight rows at once.
 */
import type { Field } from '../quant/fields.ts';
import type { QuantFormat } from '../quant/format.ts';
import { type GridCodes, gridOffset, type OddParts } from '../quant/grid-codes.ts';
import type { Grid } from '../quant/grids.ts';
import { placeOf, type Slots } from '../quant/slots.ts';
import { type Func, type I32, i8x16, i32, i32x4, type Local, type V128, v128 } from './assembler.ts';
import { type ConstantName, type ConstantOf, gridAddress, pair, storePair } from './constants.ts';
import { groupRows, packedAt } from './layout.ts';
import type { PartScales } from './scales256.ts';

/** Writes the block at `w` to `panel`, word after word of eight rows: unsigned bytes, values plus the format's offset. */
export type UnpackWeights = (f: Func, w: Local<'i32'>, panel: Local<'i32'>, constantOf: ConstantOf) => void;

/** Every format's fields come round after so many columns, in whole words. */
const turnColumns = 128;
const turns = 256 / turnColumns;

const offsetNames: Readonly<Record<number, ConstantName>> = { 16: 'bit4', 32: 'bytes32', 64: 'bytes64' };

const both = <T>(make: (half: 0 | 1) => T): readonly [T, T] => [make(0), make(1)];

/** Number `i` of the slots of four rows, in 32-bit lanes. */
export function slotsOf(base: Local<'i32'>, offset: number, slots: Slots, i: number, half: 0 | 1): V128 {
  const place = placeOf(slots, i);
  const shift = place & 31;
  const word = v128.load(base, offset + 32 * (place >> 5) + 16 * half);
  if (shift + slots.width === 32) return i32x4.shrU(word, shift);
  return i32x4.shrU(i32x4.shl(word, 32 - shift - slots.width), 32 - slots.width);
}

/** The same of one row. */
function slotOfRow(base: Local<'i32'>, offset: number, slots: Slots, i: number, row: number): I32 {
  const place = placeOf(slots, i);
  const [shift, byte] = [place & 7, place >> 3];
  const wide = shift + slots.width > 8;
  if (wide && byte % 4 === 3) throw new Error(`${slots.field}: kernels want slots inside words`);
  const bits = (wide ? i32.load16u : i32.load8u)(base, offset + 32 * (byte >> 2) + 4 * row + (byte & 3));
  if (slots.width === 8 && !shift) return bits;
  return i32.and(shift ? i32.shrU(bits, i32.const(shift)) : bits, i32.const(2 ** slots.width - 1));
}

/** Number `i` of the slots: of four rows, of one. */
interface ReadSlots {
  readonly lanes: (slots: Slots, i: number, half: 0 | 1) => V128;
  readonly row: (slots: Slots, i: number, row: number) => I32;
}

export function unpackGrid(format: QuantFormat, codes: GridCodes): UnpackWeights {
  const { grid } = codes;
  return (f, w, panel, constantOf) => {
    const bases = new Map<string, Local<'i32'>>();
    const base = ({ field }: Slots) => bases.get(field) as Local<'i32'>;
    const read: ReadSlots = {
      lanes: (slots, i, half) => slotsOf(base(slots), packedAt(format, slots.field), slots, i, half),
      row: (slots, i, row) => slotOfRow(base(slots), packedAt(format, slots.field), slots, i, row),
    };
    const fields = [...codes.index, codes.signs, codes.shift].filter(slots => slots !== undefined);
    for (const { field } of fields) if (!bases.has(field)) bases.set(field, f.local('i32', w));
    const to = f.local('i32', panel);
    f.for(i32.const(turns), () => {
      for (let entry = 0; entry < turnColumns / grid.columns; entry++)
        unpackEntry(f, codes, read, to, entry, constantOf);
      if (codes.signs) giveSigns(f, codes, codes.signs, read, to, constantOf);
      for (const [field, base] of bases) f.advance(base, (8 * (format.fields[field] as Field).bytes) / turns);
      f.advance(to, 8 * turnColumns);
    });
  };
}

/** What an entry stands for, in four or eight columns of eight rows. */
function unpackEntry(
  f: Func,
  codes: GridCodes,
  read: ReadSlots,
  panel: Local<'i32'>,
  entry: number,
  c: ConstantOf,
): void {
  const { grid, index, shift } = codes;
  const [low, high] = index;
  const rows = Array.from({ length: groupRows }, (_, row) => {
    const lowest = read.row(low, entry, row);
    const whole = high ? i32.or(lowest, i32.shl(read.row(high, entry, row), i32.const(low.width))) : lowest;
    return f.local('i32', i32.shl(whole, i32.const(Math.log2(grid.columns))));
  });
  const found = both(half => lookUp(f, grid, rows.slice(4 * half, 4 * half + 4)));
  const added = shift && both(half => f.local('v128', i32x4.mul(read.lanes(shift, entry, half), c('bit0')[half])));
  for (let word = 0; word < grid.columns / 4; word++) {
    const values = pair(half => {
      const value = found[half][word] as V128;
      if (!added) return value;
      return i8x16.sub(i8x16.add(value, c('bytes17')[half]), i8x16.add(added[half], added[half]));
    });
    storePair(f, panel, values, 8 * (entry * grid.columns + 4 * word));
  }
}

/** The words of four rows' entries. */
function lookUp(f: Func, grid: Grid, [a, b, c, d]: readonly Local<'i32'>[]): readonly V128[] {
  const at = gridAddress(grid);
  if (grid.columns === 4) {
    const first = v128.load32lane(b as I32, v128.load32zero(a as I32, at), 1, at);
    return [v128.load32lane(d as I32, v128.load32lane(c as I32, first, 2, at), 3, at)];
  }
  const two = (first: I32, second: I32) => f.local('v128', v128.load64lane(second, v128.load64zero(first, at), 1, at));
  const [low, high] = [two(a as I32, b as I32), two(c as I32, d as I32)];
  const words = (first: number) =>
    v128.shuffle(
      low,
      high,
      [0, 8, 16, 24].flatMap(from => [0, 1, 2, 3].map(byte => first + from + byte)),
    );
  return [words(0), words(4)];
}

/** Magnitudes in the panel become values plus the format's offset. */
function giveSigns(f: Func, codes: GridCodes, signs: Slots, read: ReadSlots, panel: Local<'i32'>, c: ConstantOf): void {
  const offset = offsetNames[gridOffset(codes)];
  if (!offset) throw new Error(`${codes.grid.name}: kernels have no constant for its offset`);
  for (let eight = 0; eight < turnColumns / 8; eight++) {
    const spread = both(half => f.local('v128', i32x4.mul(signsOf(f, signs, read, eight, half), c('bit0')[half])));
    (['lowBits', 'highBits'] as const).forEach((bits, word) => {
      const place = 64 * eight + 32 * word;
      const values = pair(half => {
        const negative = f.local('v128', i8x16.eq(v128.and(spread[half], c(bits)[half]), c(bits)[half]));
        const flipped = v128.xor(v128.load(panel, place + 16 * half), negative);
        return i8x16.sub(i8x16.add(flipped, c(offset)[half]), negative);
      });
      storePair(f, panel, values, place);
    });
  }
}

/** Eight signs of four rows. */
function signsOf(f: Func, signs: Slots, read: ReadSlots, eight: number, half: 0 | 1): V128 {
  const seven = f.local('v128', read.lanes(signs, eight, half));
  if (signs.width === 8) return seven;
  const odd = f.local('v128', v128.xor(seven, i32x4.shrU(seven, 4)));
  f.set(odd, v128.xor(odd, i32x4.shrU(odd, 2)));
  f.set(odd, v128.xor(odd, i32x4.shrU(odd, 1)));
  return v128.or(seven, i32x4.shrU(i32x4.shl(odd, 31), 24));
}

/** Scales of parts 2i and 2i + 1, odd numbers. */
export function oddScales(format: QuantFormat, { slots }: OddParts): PartScales {
  const at = packedAt(format, slots.field);
  return (w, c, i) =>
    pair(half => {
      const [low, high] = [0, 1].map(k => slotsOf(w, at, slots, 2 * i + k, half)) as [V128, V128];
      const doubled = v128.or(i32x4.shl(low, 1), i32x4.shl(high, 17));
      return v128.or(doubled, c('onesI16')[half]);
    });
}

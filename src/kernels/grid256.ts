/**
 * How weights that are indices into a codebook unpack, to a block of a panel: a register holds the same columns of four rows, so
 * indices and signs are shifts of whole registers, and only the look-up itself goes lane by lane.
 */
import type { Field } from '../quant/fields.ts';
import type { QuantFormat } from '../quant/format.ts';
import { type GridCodes, gridOffset, type OddParts } from '../quant/grid-codes.ts';
import { placeOf, type Slots } from '../quant/slots.ts';
import { type Func, i8x16, i32, i32x4, type Local, type V128, v128 } from './assembler.ts';
import { type ConstantName, type ConstantOf, gridAddress, pair, storePair } from './constants.ts';
import { packedAt } from './layout.ts';
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

export function unpackGrid(format: QuantFormat, codes: GridCodes): UnpackWeights {
  const { grid } = codes;
  return (f, w, panel, constantOf) => {
    const bases = new Map<string, Local<'i32'>>();
    const at = (slots: Slots, i: number, half: 0 | 1): V128 => {
      const base = bases.get(slots.field) as Local<'i32'>;
      return slotsOf(base, packedAt(format, slots.field), slots, i, half);
    };
    const fields = [...codes.index, codes.signs, codes.shift].filter(slots => slots !== undefined);
    for (const { field } of fields) if (!bases.has(field)) bases.set(field, f.local('i32', w));
    const to = f.local('i32', panel);
    f.for(i32.const(turns), () => {
      for (let entry = 0; entry < turnColumns / grid.columns; entry++) unpackEntry(f, codes, at, to, entry, constantOf);
      for (const [field, base] of bases) f.advance(base, (8 * (format.fields[field] as Field).bytes) / turns);
      f.advance(to, 8 * turnColumns);
    });
  };
}

function unpackEntry(
  f: Func,
  codes: GridCodes,
  at: (slots: Slots, i: number, half: 0 | 1) => V128,
  panel: Local<'i32'>,
  entry: number,
  c: ConstantOf,
): void {
  const { grid, index, signs, shift } = codes;
  const [low, high] = index;
  const words = grid.columns / 4;
  const found = both(half => {
    const whole = high
      ? v128.or(at(low, entry, half), i32x4.shl(at(high, entry, half), low.width))
      : at(low, entry, half);
    return f.local('v128', i32x4.shl(whole, Math.log2(grid.columns)));
  });
  const rows = found.map(lanes => [0, 1, 2, 3].map(lane => f.local('i32', i32x4.lane(lanes, lane))));
  const eight = Math.floor((entry * grid.columns) / 8);
  const negative = signs && both(half => f.local('v128', signsOf(f, signs, at, eight, half)));
  const added = shift && both(half => f.local('v128', i32x4.mul(at(shift, entry, half), c('bit0')[half])));
  const offset = offsetNames[gridOffset(codes)];
  if (!offset) throw new Error(`${grid.name}: kernels have no constant for its offset`);
  for (let word = 0; word < words; word++) {
    const column = entry * grid.columns + 4 * word;
    const values = pair(half => {
      const address = gridAddress(grid) + 4 * word;
      const values = rows[half].reduce<V128>(
        (vector, row, lane) => (lane ? v128.load32lane(row, vector, lane, address) : v128.load32zero(row, address)),
        c('zero')[half],
      );
      if (added) return i8x16.sub(i8x16.add(values, c('bytes17')[half]), i8x16.add(added[half], added[half]));
      if (!negative) return i8x16.add(values, c(offset)[half]);
      const bits = v128.and(i32x4.shrU(negative[half], column & 4), c('low4')[half]);
      const spread = f.local('v128', v128.and(i32x4.mul(bits, c('spread')[half]), c('bit0')[half]));
      const flipped = v128.xor(values, i8x16.sub(c('zero')[half], spread));
      return i8x16.add(flipped, i8x16.add(spread, c(offset)[half]));
    });
    storePair(f, panel, values, 8 * column);
  }
}

/** Eight signs of four rows. */
function signsOf(
  f: Func,
  signs: Slots,
  at: (slots: Slots, i: number, half: 0 | 1) => V128,
  eight: number,
  half: 0 | 1,
): V128 {
  const read = at(signs, eight, half);
  if (signs.width === 8) return read;
  const seven = f.local('v128', read);
  const odd = f.local('v128', v128.xor(seven, i32x4.shrU(seven, 4)));
  f.set(odd, v128.xor(odd, i32x4.shrU(odd, 2)));
  f.set(odd, v128.xor(odd, i32x4.shrU(odd, 1)));
  return v128.or(seven, i32x4.shl(odd, 7));
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

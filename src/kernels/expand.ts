/**
 * Packing where kernels have a form of their own: indices into a codebook become what they stand for, a few bits a weight. A row
 * after the other, four columns in a 32-bit word.
 */
import { type Codes, codeKey } from '../quant/codes.ts';
import type { Field } from '../quant/fields.ts';
import type { QuantFormat } from '../quant/format.ts';
import type { GridCodes } from '../quant/grid-codes.ts';
import { placeOf, type Slots } from '../quant/slots.ts';
import { Func, type I32, i32, type Local } from './assembler.ts';
import { gridAddress } from './constants.ts';
import { groupRows, packedAt, packParams } from './layout.ts';

type PackFunc = Func<typeof packParams>;

/** Four codes of each field of bits, a byte each, from four magnitudes and signs (bytes 0 or 1). */
type Code = (magnitudes: I32, negative: I32) => I32;

/** What a form's codes are, by {@link codeKey} and codebook. */
const encoders: Readonly<Record<string, readonly Code[]>> = {
  // An odd magnitude m is 8 + m / 2, its opposite the complement.
  'IQ3_S 4x32 odd': [
    (m, negative) =>
      i32.xor(
        i32.or(i32.and(i32.shrU(m, i32.const(1)), i32.const(0x07070707)), i32.const(0x08080808)),
        i32.mul(negative, i32.const(15)),
      ),
  ],
  'IQ2_S 2x32+1x32 of a table': [
    (m, negative) => i32.and(sixth(m, negative), i32.const(0x03030303)),
    (m, negative) => i32.and(i32.shrU(sixth(m, negative), i32.const(2)), i32.const(0x01010101)),
  ],
};

/** 3 to 5 for 8, 25 and 43, whose lowest bits are none, one and two; 2 to 0 for their opposites. */
function sixth(m: I32, negative: I32): I32 {
  const ones = i32.const(0x01010101);
  const level = i32.add(i32.and(m, ones), i32.and(i32.shrU(m, i32.const(1)), ones));
  const back = i32.and(i32.mul(negative, i32.const(255)), i32.add(i32.shl(level, i32.const(1)), ones));
  return i32.sub(i32.add(level, i32.const(0x03030303)), back);
}

export function packExpanded(format: QuantFormat, form: QuantFormat): PackFunc {
  const [from, to] = [format.integers?.weights, form.integers?.weights];
  if (!from || !to || !('grid' in from) || !('bits' in to))
    throw new Error(`${format.name}: only a codebook is expanded`);
  const encode = encoders[`${from.grid.name} ${codeKey(to)}`];
  if (!encode) throw new Error(`${format.name}: no kernel makes ${codeKey(to)} of it`);
  const f = new Func(`pack_${format.name}`, packParams);
  const { source, rowBytes, blocks, target } = f.params;
  const [row, lane] = [f.local('i32'), f.local('i32')];
  const words = Array.from({ length: 64 }, () => [f.local('i32'), f.local('i32')] as const);
  f.for(blocks, () => {
    f.set(row, source);
    f.set(lane, i32.const(0));
    f.doWhile(
      () => {
        readWords(f, format, from, row, words);
        writeCodes(f, form, to, encode, words, i32.add(target, i32.shl(lane, i32.const(2))));
        copyFields(f, format, form, row, target, lane);
        f.advance(row, rowBytes);
        f.advance(lane, 1);
      },
      () => i32.ltU(lane, i32.const(groupRows)),
    );
    f.advance(source, format.blockBytes);
    f.advance(target, form.blockBytes * groupRows);
  });
  return f;
}

type Words = readonly (readonly [magnitudes: Local<'i32'>, negative: Local<'i32'>])[];

function readWords(f: PackFunc, format: QuantFormat, codes: GridCodes, row: Local<'i32'>, words: Words): void {
  const { grid, index, signs } = codes;
  const perEntry = grid.columns / 4;
  const entry = f.local('i32');
  words.forEach(([magnitudes, negative], i) => {
    const number = i / perEntry;
    if (Number.isInteger(number)) {
      const [low, high] = index.map(slots => slotOf(format, slots, number, row)) as [I32, I32?];
      const whole = high ? i32.or(low, i32.shl(high, i32.const(index[0].width))) : low;
      f.set(entry, i32.shl(whole, i32.const(Math.log2(grid.columns))));
    }
    f.set(magnitudes, i32.load(entry, gridAddress(grid) + 4 * (i % perEntry)));
    if (!signs) return;
    const four = i32.and(i32.shrU(slotOf(format, signs, i >> 1, row), i32.const(4 * (i & 1))), i32.const(15));
    f.set(negative, i32.and(i32.mul(four, i32.const(0x00204081)), i32.const(0x01010101)));
  });
}

/** Number `i` of the slots of one row. */
function slotOf(format: QuantFormat, slots: Slots, i: number, row: Local<'i32'>): I32 {
  const place = placeOf(slots, i);
  const byte = (format.fields[slots.field] as Field).offset + (place >> 3);
  const wide = (place & 7) + slots.width > 8;
  const bits = wide ? i32.load16u(row, byte) : i32.load8u(row, byte);
  return i32.and(i32.shrU(bits, i32.const(place & 7)), i32.const(2 ** slots.width - 1));
}

/** Every field's words: the codes of four columns, then 32 columns on those that share the bytes. */
function writeCodes(
  f: PackFunc,
  form: QuantFormat,
  { bits }: Codes,
  encode: readonly Code[],
  words: Words,
  target: I32,
): void {
  const lane = f.local('i32', target);
  bits.forEach(({ field, width, lanes }, plane) => {
    const [planes, chunk] = [8 / width, lanes / 4];
    const code = (i: number) => (encode[plane] as Code)(...(words[i] as Words[number]));
    for (let word = 0; word < 64 / planes; word++) {
      const first = Math.floor(word / chunk) * chunk * planes + (word % chunk);
      const shifted = Array.from({ length: planes }, (_, j) => i32.shl(code(first + j * chunk), i32.const(width * j)));
      f.store32(
        lane,
        shifted.reduce((a, b) => i32.or(a, b)),
        packedAt(form, field) + 4 * groupRows * word,
      );
    }
  });
}

/** Fields that are the same in both. */
function copyFields(
  f: PackFunc,
  format: QuantFormat,
  form: QuantFormat,
  row: Local<'i32'>,
  target: Local<'i32'>,
  lane: Local<'i32'>,
): void {
  for (const { from, bytes, count } of form.packing) {
    const name = Object.keys(form.fields).find(name => form.fields[name]?.offset === from) as string;
    const field = format.fields[name];
    if (!field) continue;
    const to = f.local('i32', i32.add(target, i32.mul(lane, i32.const(bytes))));
    for (let i = 0; i < count; i++) {
      const at = packedAt(form, name) + i * groupRows * bytes;
      if (bytes === 4) f.store32(to, i32.load(row, field.offset + 4 * i), at);
      else f.store16(to, i32.load16u(row, field.offset + 2 * i), at);
    }
  }
}

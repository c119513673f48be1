/**
 * The table of vector constants at the bottom of the kernels' memory. Kernels load what they need once, before their
 * loops: a v128.const or a splat in a hot loop is rebuilt at every use (3 instructions each), a loaded one stays in a
 * register. Every entry is 32 bytes: the same vector for both halves of a row pair, adjacent, so that V8's
 * re-vectoriser can take them as one.
 */
import { type Grid, grids } from '../quant/grids.ts';
import { iq2Values } from '../quant/iq2_s.ts';
import { iq4Values } from '../quant/iq4_nl.ts';
import { e2m1Values } from '../quant/mxfp4.ts';
import { type Func, i32, type Local, type V128, v128 } from './assembler.ts';

/** Byte address of the table. Address 0 stays unused, so that 0 can mean "none". */
const tableAddress = 64;

const entries = {
  zero: words(0),
  nibble: words(0x0f0f0f0f),
  bit4: words(0x10101010),
  bits45: words(0x30303030),
  eight: words(0x08080808),
  onesI16: words(0x00010001),
  low16: words(0x0000ffff),
  high16: words(0xffff0000),
  byte: words(0x00ff00ff),
  three: words(0x03030303),
  bytes17: words(0x11111111),
  bytes32: words(0x20202020),
  bytes64: words(0x40404040),
  bit2: words(0x04040404),
  bit0: words(0x01010101),
  bit1: words(0x02020202),
  /** A bit for each of four bytes, and the next four. */
  lowBits: words(0x08040201),
  highBits: words(0x80402010),
  /** Spreads four bits over four bytes by multiplication. */
  spread: words(0x00204081),
  low4: words(0x0000000f),
  /** Fields of IQ4_XS's scales, see blocks256.ts. */
  high4: words(0x000f0000),
  scale45: words(0x00000030),
  scale2021: words(0x00300000),
  i16_15: words(0x000f000f),
  i16_16: words(0x00100010),
  i16_63: words(0x003f003f),
  i16_48: words(0x00300030),
  i16_32: words(0x00200020),
  /** Sign, exponent and mantissa of an f16 that was sign-extended to 32 bits and shifted left by 13. */
  halfMask: words(0x8fffe000),
  /** 2^112, which turns those bits into the f16's value. */
  halfScale: words(0x77800000),
  /** -infinity as f32. */
  minusInfinity: words(0xff800000),
  /** For f16 of any size: all but the sign, the first that is not subnormal, 112 << 23, 2^-14 as f32, the sign. */
  low15: words(0x7fff),
  firstNormal: words(0x400),
  halfBias: words(0x38000000),
  smallestNormal: words(0x38800000),
  sign: words(0x80000000),
  /** The values of IQ4_NL and IQ4_XS plus 128, less 15 times the index: 1 to 19. */
  iq4Rest: new Uint8Array([...iq4Values, ...iq4Values].map((value, i) => value + 128 - 15 * (i & 15))),
  /** The values of MXFP4 plus 16. */
  e2m1: new Uint8Array([...e2m1Values, ...e2m1Values].map(value => value + 16)),
  /** What is added to the values of IQ2_S's expanded form. */
  i32_43: words(43),
  /** For E4M3: its bits, and half of what makes them its value where an f32's exponent begins. */
  low7: words(0x7f),
  smallScale: words((127 + 119) << 23),
  i32_16: words(16),
  /** For E8M0: 2^-127 as f32, and a half. */
  leastPower: words(0x00400000),
  half: float(0.5),
  /** 2^-112. */
  halfUnscale: words((127 - 112) << 23),
  /** The bounds and factors of e^x, see math.ts. */
  expLeast: float(-87),
  expMost: float(88),
  log2e: float(1.4426950408889634),
  nearest: float(12582912),
  ln2High: float(0.693359375),
  ln2Low: float(-2.1219444e-4),
  exp0: float(1.98756915e-4),
  exp1: float(1.3981999507e-3),
  exp2: float(8.3334519073e-3),
  exp3: float(4.1665795894e-2),
  exp4: float(1.6666665459e-1),
  exp5: float(5.0000001201e-1),
  one: float(1),
} as const;

function float(value: number): Uint8Array {
  return words(new Uint32Array(Float32Array.of(value).buffer)[0]);
}

function words(word: number): Uint8Array {
  return new Uint8Array(new Uint32Array(8).fill(word >>> 0).buffer);
}

/** 0..31 as i32: the positions of a page. */
const positions = new Uint8Array(Int32Array.from({ length: 32 }, (_, i) => i).buffer);

const names = Object.keys(entries) as ConstantName[];
export type ConstantName = keyof typeof entries;
/** A constant that a kernel has loaded. */
export type ConstantOf = (name: ConstantName) => Pair;

/** What is added to a table's values, so that none is negative. */
export function tableOffset(table: Int8Array): number {
  if (table === iq2Values) return 43;
  return 2 ** Math.ceil(Math.log2(Math.max(...table.map(Math.abs)) + 1));
}

/**
 * The constant with a table's values plus their offset. Values of eight bits take a second plane, 15 times the index itself:
 * what is left is small, and nothing is looked up for that plane.
 */
export function tableConstant(table: Int8Array | undefined): {
  readonly name: ConstantName;
  readonly indices: boolean;
} {
  if (table === e2m1Values) return { name: 'e2m1', indices: false };
  if (table !== iq4Values) throw new Error('kernels have no constants for this table');
  return { name: 'iq4Rest', indices: true };
}

/** Byte address of the i32 numbers 0..31. */
export const positionsAddress = tableAddress + names.length * 32;

const codebooks: readonly Grid[] = Object.values(grids);
const codebooksAddress = positionsAddress + positions.length;

/** Byte address of a codebook's values. */
export function gridAddress(grid: Grid): number {
  const before = codebooks.slice(0, codebooks.indexOf(grid));
  return before.reduce((at, { values }) => at + values.length, codebooksAddress);
}

/** First byte after the constants. */
export const constantsEnd = codebooks.reduce((at, { values }) => at + values.length, codebooksAddress);

export function writeConstants(memory: Uint8Array): void {
  names.forEach((name, index) => {
    memory.set(entries[name], tableAddress + 32 * index);
  });
  memory.set(positions, positionsAddress);
  for (const grid of codebooks) memory.set(grid.values, gridAddress(grid));
}

/** Two vectors that stand beside each other: rows 0-3 and rows 4-7 of a group. */
export type Pair<T extends V128 = V128> = readonly [T, T];

export const pair = (make: (half: 0 | 1) => V128): Pair => [make(0), make(1)];

/** A pair of locals that holds a constant; call it before the loops. */
export function constant(f: Func, name: ConstantName): Pair<Local<'v128'>> {
  const at = i32.const(tableAddress + 32 * names.indexOf(name));
  return [f.local('v128', v128.load(at)), f.local('v128', v128.load(at, 16))];
}

export function pairLocal(f: Func): Pair<Local<'v128'>> {
  return [f.local('v128'), f.local('v128')];
}

export function setPair(f: Func, target: Pair<Local<'v128'>>, value: Pair): void {
  f.set(target[0], value[0]);
  f.set(target[1], value[1]);
}

/**
 * Adjacent stores: what the re-vectoriser starts from. It needs both values before the first of them, and of two stores that ascend it
 * would leave the first one in, too.
 */
export function storePair(f: Func, at: Local<'i32'>, value: Pair, offset = 0): void {
  const both = pairLocal(f);
  setPair(f, both, value);
  f.store(at, both[1], offset + 16);
  f.store(at, both[0], offset);
}

/** Constants of a kernel, each loaded once; call it before the loops. */
export function constants(f: Func, names: readonly ConstantName[]): (name: ConstantName) => Pair<Local<'v128'>> {
  const loaded = new Map(names.map(name => [name, constant(f, name)]));
  return name => {
    const found = loaded.get(name);
    if (!found) throw new Error(`${f.name} does not load the constant ${name}`);
    return found;
  };
}

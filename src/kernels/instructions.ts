/** Typed expressions: byte strings that leave one value on the stack. https://webassembly.github.io/spec/core/binary/ */
export type ValueType = 'i32' | 'f32' | 'v128';

/** Code that leaves one value on the stack. */
export interface Expr<T extends ValueType = ValueType> {
  readonly type: T;
  readonly code: readonly number[];
}
export type I32 = Expr<'i32'>;
export type F32 = Expr<'f32'>;
export type V128 = Expr<'v128'>;

/** A variable; used as an expression it is its value. */
export interface Local<T extends ValueType = ValueType> extends Expr<T> {
  readonly index: number;
}

export const typeCodes = { i32: 0x7f, f32: 0x7d, v128: 0x7b } as const;

export function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value >>> 0;
  do {
    const byte = rest & 0x7f;
    rest >>>= 7;
    bytes.push(rest ? byte | 0x80 : byte);
  } while (rest);
  return bytes;
}

function signed(value: number): number[] {
  const bytes: number[] = [];
  let rest = value | 0;
  for (;;) {
    const byte = rest & 0x7f;
    rest >>= 7;
    if ((rest === 0 && !(byte & 0x40)) || (rest === -1 && byte & 0x40)) return [...bytes, byte];
    bytes.push(byte | 0x80);
  }
}

function expr<T extends ValueType>(type: T, ...parts: (readonly number[])[]): Expr<T> {
  return { type, code: parts.flat() };
}

export const simd = (opcode: number): number[] => [0xfd, ...unsigned(opcode)];

/** Alignment (never promised) and offset of a load or store. */
export const memoryArgument = (offset: number): number[] => [0, ...unsigned(offset)];

const unary =
  <A extends ValueType, R extends ValueType>(result: R, opcode: readonly number[]) =>
  (a: Expr<A>): Expr<R> =>
    expr(result, a.code, opcode);
const binary =
  <A extends ValueType, B extends ValueType, R extends ValueType>(result: R, opcode: readonly number[]) =>
  (a: Expr<A>, b: Expr<B>): Expr<R> =>
    expr(result, a.code, b.code, opcode);
const vv = (opcode: number) => binary<'v128', 'v128', 'v128'>('v128', simd(opcode));
const v1 = (opcode: number) => unary<'v128', 'v128'>('v128', simd(opcode));
const shift = (opcode: number) => (a: V128, count: number | I32) =>
  expr('v128', a.code, (typeof count === 'number' ? i32.const(count) : count).code, simd(opcode));
const lane =
  <R extends ValueType>(result: R, opcode: number) =>
  (a: V128, index: number) =>
    expr(result, a.code, simd(opcode), [index]);
const load =
  <R extends ValueType>(result: R, opcode: readonly number[]) =>
  (address: I32, offset = 0): Expr<R> =>
    expr(result, address.code, opcode, memoryArgument(offset));

export const i32 = {
  const: (value: number): I32 => expr('i32', [0x41], signed(value)),
  add: binary<'i32', 'i32', 'i32'>('i32', [0x6a]),
  sub: binary<'i32', 'i32', 'i32'>('i32', [0x6b]),
  mul: binary<'i32', 'i32', 'i32'>('i32', [0x6c]),
  and: binary<'i32', 'i32', 'i32'>('i32', [0x71]),
  shl: binary<'i32', 'i32', 'i32'>('i32', [0x74]),
  shrU: binary<'i32', 'i32', 'i32'>('i32', [0x76]),
  ltU: binary<'i32', 'i32', 'i32'>('i32', [0x49]),
  gtS: binary<'i32', 'i32', 'i32'>('i32', [0x4a]),
  or: binary<'i32', 'i32', 'i32'>('i32', [0x72]),
  xor: binary<'i32', 'i32', 'i32'>('i32', [0x73]),
  ltS: binary<'i32', 'i32', 'i32'>('i32', [0x48]),
  eq: binary<'i32', 'i32', 'i32'>('i32', [0x46]),
  load: load('i32', [0x28]),
  load8s: load('i32', [0x2c]),
  load8u: load('i32', [0x2d]),
  load16u: load('i32', [0x2f]),
};

export const f32 = {
  const: (value: number): F32 => expr('f32', [0x43], [...new Uint8Array(new Float32Array([value]).buffer)]),
  load: load('f32', [0x2a]),
  add: binary<'f32', 'f32', 'f32'>('f32', [0x92]),
  sub: binary<'f32', 'f32', 'f32'>('f32', [0x93]),
  mul: binary<'f32', 'f32', 'f32'>('f32', [0x94]),
  div: binary<'f32', 'f32', 'f32'>('f32', [0x95]),
  max: binary<'f32', 'f32', 'f32'>('f32', [0x97]),
  sqrt: unary<'f32', 'f32'>('f32', [0x91]),
  lt: binary<'f32', 'f32', 'i32'>('i32', [0x5d]),
  convert: unary<'i32', 'f32'>('f32', [0xb2]),
  select: (a: F32, b: F32, condition: I32): F32 => expr('f32', a.code, b.code, condition.code, [0x1b]),
};

export const v128 = {
  load: load('v128', simd(0x00)),
  load8x8s: load('v128', simd(0x01)),
  load8x8u: load('v128', simd(0x02)),
  load16x4s: load('v128', simd(0x03)),
  load16x4u: load('v128', simd(0x04)),
  splat8: load('v128', simd(0x07)),
  splat16: load('v128', simd(0x08)),
  splat32: load('v128', simd(0x09)),
  splat64: load('v128', simd(0x0a)),
  load32zero: load('v128', simd(0x5c)),
  load64zero: load('v128', simd(0x5d)),
  /** `vector` with lane `index` from memory. */
  load32lane: (address: I32, vector: V128, index: number, offset = 0): V128 =>
    expr('v128', address.code, vector.code, simd(0x56), memoryArgument(offset), [index]),
  load64lane: (address: I32, vector: V128, index: number, offset = 0): V128 =>
    expr('v128', address.code, vector.code, simd(0x57), memoryArgument(offset), [index]),
  and: vv(0x4e),
  andnot: vv(0x4f),
  or: vv(0x50),
  xor: vv(0x51),
  bitselect: (a: V128, b: V128, mask: V128): V128 => expr('v128', a.code, b.code, mask.code, simd(0x52)),
  const: (bytes: ArrayLike<number>): V128 => expr('v128', simd(0x0c), Array.from(bytes)),
  shuffle: (a: V128, b: V128, lanes: readonly number[]): V128 => expr('v128', a.code, b.code, simd(0x0d), lanes),
};

export const i8x16 = {
  lane: lane('i32', 0x15),
  swizzle: vv(0x0e),
  /** The same for indices below 16, one instruction less on x86. */
  relaxedSwizzle: vv(0x100),
  splat: unary<'i32', 'v128'>('v128', simd(0x0f)),
  eq: vv(0x23),
  shl: shift(0x6b),
  shrS: shift(0x6c),
  shrU: shift(0x6d),
  add: vv(0x6e),
  sub: vv(0x71),
  narrow: vv(0x65),
};

export const i16x8 = {
  shl: shift(0x8b),
  shrS: shift(0x8c),
  shrU: shift(0x8d),
  add: vv(0x8e),
  sub: vv(0x91),
  mul: vv(0x95),
  narrow: vv(0x85),
  narrowU: vv(0x86),
  extendLowS: v1(0x87),
  extendHighS: v1(0x88),
  extendLowU: v1(0x89),
  extendHighU: v1(0x8a),
  splat: unary<'i32', 'v128'>('v128', simd(0x10)),
  /** Sums of two byte products, first operand signed, second 0..127. Same on every CPU for those ranges. */
  relaxedDot: vv(0x112),
};

export const i32x4 = {
  splat: unary<'i32', 'v128'>('v128', simd(0x11)),
  add: vv(0xae),
  sub: vv(0xb1),
  mul: vv(0xb5),
  neg: v1(0xa1),
  shl: shift(0xab),
  shrS: shift(0xac),
  shrU: shift(0xad),
  gtS: vv(0x3b),
  maxS: vv(0xb8),
  minS: vv(0xb6),
  /** Sums of two 16-bit products. */
  dot: vv(0xba),
  extendLowS: v1(0xa7),
  extendHighS: v1(0xa8),
  extendLowU: v1(0xa9),
  extendHighU: v1(0xaa),
  lane: lane('i32', 0x1b),
  truncate: v1(0xf8),
  /** c + sums of four byte products, first operand signed, second 0..127. */
  relaxedDotAdd: (a: V128, b: V128, c: V128): V128 => expr('v128', a.code, b.code, c.code, simd(0x113)),
};

export const f32x4 = {
  splat: unary<'f32', 'v128'>('v128', simd(0x13)),
  lane: lane('f32', 0x1f),
  add: vv(0xe4),
  sub: vv(0xe5),
  mul: vv(0xe6),
  div: vv(0xe7),
  min: vv(0xe8),
  max: vv(0xe9),
  /** b < a ? b : a, one instruction; differs from min only in NaN and signed zero. */
  pmin: vv(0xea),
  pmax: vv(0xeb),
  abs: v1(0xe0),
  neg: v1(0xe1),
  sqrt: v1(0xe3),
  nearest: v1(0x6a),
  convert: v1(0xfa),
  lt: vv(0x43),
};

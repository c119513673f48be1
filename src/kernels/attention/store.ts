/** Stores of a token's keys and values into its pages. */
import { Func, f32, f32x4, i8x16, i16x8, i32, i32x4, type Local, type V128, v128 } from '../assembler.ts';
import { lanesMax } from '../math.ts';

/** Writes one token's keys and values, [heads][headDim] f32, into its pages as F16; heads' pages follow each other. */
export function storeKv() {
  const params = {
    k: 'i32',
    v: 'i32',
    keys: 'i32',
    values: 'i32',
    heads: 'i32',
    headDim: 'i32',
    headBytes: 'i32',
  } as const;
  const f = new Func('store_kv', params);
  const { k, v, keys, values, heads, headDim, headBytes } = f.params;
  const half = f.local('v128');
  const [key, value] = [f.local('i32'), f.local('i32')];
  f.for(heads, () => {
    f.set(key, keys);
    f.set(value, values);
    f.for(i32.shrU(headDim, i32.const(2)), () => {
      f.set(half, toHalf(f, v128.load(k)));
      for (let i = 0; i < 4; i++) f.store16(key, i32x4.lane(half, i), 64 * i);
      f.set(half, toHalf(f, v128.load(v)));
      f.store64(value, i16x8.narrowU(half, half));
      f.advance(k, 16);
      f.advance(v, 16);
      f.advance(key, 256);
      f.advance(value, 8);
    });
    f.advance(keys, headBytes);
    f.advance(values, headBytes);
  });
  return f;
}

const keysParams = {
  k: 'i32',
  /** Keys of the page. */
  page: 'i32',
  slot: 'i32',
  /** Where the dimensions stand in a key of headDim. */
  first: 'i32',
  dimensions: 'i32',
  headDim: 'i32',
} as const;

/** Writes some dimensions of one token's key into slot `slot` of its page as F16. */
export function storeKeys() {
  const f = new Func('store_keys', keysParams);
  const { k, page, slot, first, dimensions } = f.params;
  const key = f.local('i32', i32.add(i32.add(page, i32.shl(slot, i32.const(1))), i32.shl(first, i32.const(6))));
  const half = f.local('v128');
  f.for(i32.shrU(dimensions, i32.const(2)), () => {
    f.set(half, toHalf(f, v128.load(k)));
    for (let i = 0; i < 4; i++) f.store16(key, i32x4.lane(half, i), 64 * i);
    f.advance(k, 16);
    f.advance(key, 256);
  });
  return f;
}

/** The same as int8 with a scale for 32 of them. */
export function storeKeysBytes() {
  const f = new Func('store_keys_q8', keysParams);
  const { k, page, slot, first, dimensions, headDim } = f.params;
  const key = f.local('i32', i32.add(i32.add(page, slot), i32.shl(first, i32.const(5))));
  const scale = f.local('i32', i32.add(page, i32.shl(headDim, i32.const(5))));
  f.advance(scale, i32.add(i32.shl(slot, i32.const(2)), i32.shl(first, i32.const(2))));
  const bytes = [f.local('v128'), f.local('v128')] as const;
  f.for(i32.shrU(dimensions, i32.const(5)), () => {
    quantise(f, k, scale, bytes);
    for (let i = 0; i < 32; i++) f.store8(key, i8x16.lane(bytes[i >> 4], i & 15), 32 * i);
    f.advance(k, 128);
    f.advance(key, 1024);
    f.advance(scale, 128);
  });
  return f;
}

/** Writes one token's keys and values into slot `slot` of its pages as int8 with a scale for 32 of them. */
export function storeKvBytes() {
  const params = {
    k: 'i32',
    v: 'i32',
    keys: 'i32',
    values: 'i32',
    slot: 'i32',
    heads: 'i32',
    headDim: 'i32',
    headBytes: 'i32',
  } as const;
  const f = new Func('store_kv_q8', params);
  const { k, v, keys, values, slot, heads, headDim, headBytes } = f.params;
  const [key, value] = [f.local('i32'), f.local('i32')];
  const [keyScale, valueScale] = [f.local('i32'), f.local('i32')];
  const bytes = [f.local('v128'), f.local('v128')] as const;
  const blocks = f.local('i32', i32.shrU(headDim, i32.const(5)));
  const words = i32.shl(headDim, i32.const(5));
  f.for(heads, () => {
    f.set(key, i32.add(keys, slot));
    f.set(value, i32.add(values, i32.mul(slot, headDim)));
    f.set(keyScale, i32.add(i32.add(keys, words), i32.shl(slot, i32.const(2))));
    f.set(valueScale, i32.add(i32.add(values, words), i32.shl(i32.mul(slot, blocks), i32.const(2))));
    f.for(blocks, () => {
      quantise(f, k, keyScale, bytes);
      for (let i = 0; i < 32; i++) f.store8(key, i8x16.lane(bytes[i >> 4], i & 15), 32 * i);
      quantise(f, v, valueScale, bytes);
      for (const half of [0, 1] as const) f.store(value, bytes[half], 16 * half);
      f.advance(k, 128);
      f.advance(v, 128);
      f.advance(key, 1024);
      f.advance(value, 32);
      f.advance(keyScale, 128);
      f.advance(valueScale, 4);
    });
    f.advance(keys, headBytes);
    f.advance(values, headBytes);
  });
  return f;
}

/** 32 floats at `x` as int8; their scale, the largest magnitude / 127, goes to `scaleAt`. */
function quantise(
  f: Func<Record<string, 'i32'>>,
  x: Local<'i32'>,
  scaleAt: Local<'i32'>,
  into: readonly [Local<'v128'>, Local<'v128'>],
): void {
  const loads = Array.from({ length: 8 }, (_, i) => v128.load(x, 16 * i));
  const largest = f.local(
    'v128',
    loads.map(load => f32x4.abs(load)).reduce((a, b) => f32x4.max(a, b)),
  );
  const d = f.local('f32', f32.div(lanesMax(largest), f32.const(127)));
  const inverse = f.local('f32', f32.select(f32.const(0), f32.div(f32.const(1), d), f32.lt(d, f32.const(1e-30))));
  f.storeF32(scaleAt, d);
  const q = loads.map(load => i32x4.truncate(f32x4.nearest(f32x4.mul(load, f32x4.splat(inverse)))));
  for (const half of [0, 1] as const) {
    const [a, b, c, e] = q.slice(4 * half, 4 * half + 4);
    f.set(into[half], i8x16.narrow(i16x8.narrow(a, b), i16x8.narrow(c, e)));
  }
}

/** Four f32 to the bits of four f16, nearest even, clamped to the finite range. */
function toHalf(f: Func<Record<string, 'i32'>>, x: V128): V128 {
  const word = (value: number) => i32x4.splat(i32.const(value));
  const bound = (value: number) => f32x4.splat(f32.const(value));
  const clamped = f.local('v128', f32x4.min(f32x4.max(x, bound(-65504)), bound(65504)));
  const magnitude = f.local('v128', f32x4.abs(clamped));
  const sign = v128.and(i32x4.shrU(clamped, 16), word(0x8000));
  // Normal: round the 13 bits that go, to even, and rebias the exponent.
  const odd = v128.and(i32x4.shrU(magnitude, 13), word(1));
  const rounded = i32x4.add(i32x4.add(magnitude, word(0xfff)), odd);
  const normal = i32x4.sub(i32x4.shrU(rounded, 13), word(112 << 10));
  // Below 2^-14: adding 0.5 leaves the f16's mantissa in the low bits, rounded by the adder.
  const small = i32x4.sub(f32x4.add(magnitude, bound(0.5)), word(0x3f000000));
  return v128.or(sign, v128.bitselect(small, normal, f32x4.lt(magnitude, bound(2 ** -14))));
}

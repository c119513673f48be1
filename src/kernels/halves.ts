/** f16, and bytes that are powers of two, as f32. */
import { type Func, f32x4, i16x8, i32x4, type Local, type V128, v128 } from './assembler.ts';
import { type ConstantOf, type Pair, pair, pairLocal, setPair } from './constants.ts';

/**
 * Four f16 of each half as f32. A K-quant's scales are often below 2^-14, subnormal as f16; on the way that
 * {@link halves} takes they would be subnormal f32s, at which CPUs stumble: a fifth of such a kernel's time.
 */
export const smallHalves = (f: Func, w: Local<'i32'>, offset: number, c: ConstantOf): Pair =>
  anyHalves(
    f,
    pair(h => v128.load16x4s(w, offset + 8 * h)),
    c,
  );

/** The same of f16 whose nibbles are the highest of four words of 16 bits. */
export function nibbleHalves(f: Func, w: Local<'i32'>, offset: number, c: ConstantOf): Pair {
  const highest = (word: number, h: 0 | 1): V128 => {
    const bits = f.local('v128', v128.load(w, offset + 32 * word + 16 * h));
    const first = v128.and(i32x4.shrU(bits, 12), c('low4')[h]);
    return i32x4.shl(v128.or(first, i32x4.shl(i32x4.shrU(bits, 28), 4)), 8 * word);
  };
  return anyHalves(
    f,
    pair(h => i32x4.shrS(i32x4.shl(v128.or(highest(0, h), highest(1, h)), 16), 16)),
    c,
  );
}

function anyHalves(f: Func, raw: Pair, c: ConstantOf): Pair {
  const [bits, magnitude, value] = [pairLocal(f), pairLocal(f), pairLocal(f)];
  setPair(f, bits, raw);
  setPair(
    f,
    magnitude,
    pair(h => v128.and(bits[h], c('low15')[h])),
  );
  // 2^-14 (1 + m / 1024) where the exponent is not 0; 2^-15 (1 + m / 1024) where it is and 2^-14 m / 1024 is wanted.
  setPair(
    f,
    value,
    pair(h => i32x4.add(i32x4.shl(magnitude[h], 13), c('halfBias')[h])),
  );
  const missing = pair(h =>
    v128.and(i32x4.gtS(c('firstNormal')[h], magnitude[h]), f32x4.sub(value[h], c('smallestNormal')[h])),
  );
  return pair(h => v128.or(f32x4.add(value[h], missing[h]), v128.and(bits[h], c('sign')[h])));
}

/** Four f16 of each half as f32 times 2^-112 (the activation's scale carries the rest). */
export function halves(w: Local<'i32'>, offset: number, mask: Pair): Pair {
  return pair(h => v128.and(i32x4.shl(v128.load16x4s(w, offset + 8 * h), 13), mask[h]));
}

/** Four E8M0 of each half as f32, halved: byte e is 2^(e - 128), down to where f32 is subnormal. */
export function powers(w: Local<'i32'>, offset: number, c: ConstantOf): Pair {
  return pair(h => {
    const exponents = i32x4.extendLowU(i16x8.extendLowU(v128.load32zero(w, offset + 4 * h)));
    return f32x4.mul(i32x4.maxS(i32x4.shl(exponents, 23), c('leastPower')[h]), c('half')[h]);
  });
}

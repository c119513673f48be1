/** Matrix kernels of NVFP4, whose weights and scales are floats of four and eight bits: a chain as floats.ts has it. */
import type { QuantFormat } from '../quant/format.ts';
import { f32x4, i8x16, i32x4, type Local, v128 } from './assembler.ts';
import { type ConstantOf, constants, type Pair, pair, pairLocal, setPair } from './constants.ts';
import { groupRows, packedAt } from './layout.ts';
import { type ProductFunc, product } from './product.ts';

export function productSmallFloat(format: QuantFormat, tile: number): ProductFunc {
  const { name, blockBytes } = format;
  const groupBytes = groupRows * blockBytes;
  const record = { columns: 64, bytes: 256 };
  return product(`${name}x${tile}`, tile, { atOnce: 1, blockBytes: groupBytes, record }, (f, [sums], [w]) => {
    const c = constants(f, ['low4', 'low7', 'e2m1', 'i32_16', 'smallScale']);
    const [scale, weights, factor] = [pairLocal(f), pairLocal(f), f.local('v128')];
    return x => {
      for (let column = 0; column < 64; column++) {
        if (column % 16 === 0) setPair(f, scale, scaleOf(w, packedAt(format, 'd'), column / 16, c));
        const value = doubled(w, packedAt(format, 'qs'), column, c);
        setPair(
          f,
          weights,
          pair(h => f32x4.mul(value[h], scale[h])),
        );
        sums.forEach((sum, t) => {
          f.set(factor, v128.splat32(x, 4 * (column * tile + t)));
          setPair(
            f,
            sum,
            pair(h => f32x4.add(sum[h], f32x4.mul(weights[h], factor))),
          );
        });
      }
      f.advance(w, groupBytes);
      f.advance(x, 256 * tile);
    };
  });
}

/** Half of an E4M3: its bits in an f32's place are 2^120 too small. */
const scaleOf = (w: Local<'i32'>, at: number, part: number, c: ConstantOf): Pair =>
  pair(h => {
    const bits = v128.and(i32x4.shrU(v128.load(w, at + 16 * h), 8 * part), c('low7')[h]);
    return f32x4.mul(i32x4.shl(bits, 20), c('smallScale')[h]);
  });

/** Twice an E2M1; of each lane only the lowest byte is looked up. */
function doubled(w: Local<'i32'>, at: number, column: number, c: ConstantOf): Pair {
  const [part, nibble, byte] = [Math.floor(column / 16), Math.floor(column / 8) & 1, column & 7];
  const word = 2 * part + (byte >> 2);
  return pair(h => {
    const bits = i32x4.shrU(v128.load(w, at + 32 * word + 16 * h), 8 * (byte & 3) + 4 * nibble);
    const found = i8x16.swizzle(c('e2m1')[h], v128.and(bits, c('low4')[h]));
    return f32x4.convert(i32x4.sub(v128.and(found, c('low7')[h]), c('i32_16')[h]));
  });
}

/** Matrix kernels of F32, F16 and BF16: one chain of multiplications and additions for each row, columns ascending. */
import type { Scales } from '../quant/fields.ts';
import type { QuantFormat } from '../quant/format.ts';
import { activationRecord } from './activation.ts';
import { f32x4, i32x4, type Local, v128 } from './assembler.ts';
import { type ConstantOf, constants, type Pair, pair, pairLocal, setPair } from './constants.ts';
import { groupRows } from './layout.ts';
import { type ProductFunc, product } from './product.ts';

type Load = (w: Local<'i32'>, constantOf: ConstantOf) => Pair;

/** Eight rows of one column as f32. */
const loads: Readonly<Partial<Record<Scales['kind'], Load>>> = {
  F32: w => pair(h => v128.load(w, 16 * h)),
  F16: (w, c) =>
    pair(h => f32x4.mul(v128.and(i32x4.shl(v128.load16x4s(w, 8 * h), 13), c('halfMask')[h]), c('halfScale')[h])),
  BF16: w => pair(h => i32x4.shl(v128.load16x4u(w, 8 * h), 16)),
};

export function productFloat({ name, blockBytes, scales }: QuantFormat, tile: number): ProductFunc {
  const groupBytes = groupRows * blockBytes;
  const load = loads[scales.kind];
  if (!load) throw new Error(`${name}: no kernel multiplies floats of kind ${scales.kind}`);
  return product(
    `${name}x${tile}`,
    tile,
    { atOnce: 1, blockBytes: groupBytes, record: activationRecord.f32 },
    (f, [sums], [w]) => {
      const constantOf = constants(f, ['halfMask', 'halfScale']);
      const [weights, factor] = [pairLocal(f), f.local('v128')];
      return x => {
        setPair(f, weights, load(w, constantOf));
        sums.forEach((sum, t) => {
          f.set(factor, v128.splat32(x, 4 * t));
          setPair(
            f,
            sum,
            pair(h => f32x4.add(sum[h], f32x4.mul(weights[h], factor))),
          );
        });
        f.advance(w, groupBytes);
        f.advance(x, 4 * tile);
      };
    },
  );
}

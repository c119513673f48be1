/** Matrix kernels of F32, F16 and BF16: one chain of multiplications and additions for each row, columns ascending. */
import type { Scales } from '../quant/fields.ts';
import type { QuantFormat } from '../quant/format.ts';
import { activationRecord } from './activation.ts';
import { Func, f32x4, i32x4, type Local, v128 } from './assembler.ts';
import { type ConstantOf, constants, type Pair, pair, pairLocal, setPair, storePair } from './constants.ts';
import { groupRows } from './layout.ts';
import { unpackBlocks, unpackParams } from './panel.ts';
import { type ProductFunc, product } from './product.ts';

type Load = (w: Local<'i32'>, constantOf: ConstantOf) => Pair;

/** Eight rows of one column as f32. */
const loads: Readonly<Partial<Record<Scales['kind'], Load>>> = {
  F32: w => pair(h => v128.load(w, 16 * h)),
  F16: (w, c) =>
    pair(h => f32x4.mul(v128.and(i32x4.shl(v128.load16x4s(w, 8 * h), 13), c('halfMask')[h]), c('halfScale')[h])),
  BF16: w => pair(h => i32x4.shl(v128.load16x4u(w, 8 * h), 16)),
};

function loadOf({ name, scales }: QuantFormat): Load {
  const load = loads[scales.kind];
  if (!load) throw new Error(`${name}: no kernel multiplies floats of kind ${scales.kind}`);
  return load;
}

export const productFloat = (format: QuantFormat, tile: number): ProductFunc =>
  productOf(`${format.name}x${tile}`, tile, 1, groupRows * format.blockBytes, loadOf(format));

/** A column of a panel: eight rows as f32. Floats of 32 bits need none. */
export const panelBytesFloat = ({ blockBytes }: QuantFormat): number => (blockBytes === 4 ? 0 : 4 * groupRows);

/** Two groups share every broadcast: twelve sums, and an addition or multiplication for nearly every other instruction. */
export const panelProductFloat = (format: QuantFormat, tile: number): ProductFunc =>
  productOf(`${format.name}p${tile}`, tile, 2, panelBytesFloat(format), w => pair(h => v128.load(w, 16 * h)));

function productOf(name: string, tile: number, atOnce: number, blockBytes: number, load: Load): ProductFunc {
  return product(name, tile, { atOnce, blockBytes, record: activationRecord.f32 }, (f, sums, w) => {
    const constantOf = constants(f, ['halfMask', 'halfScale']);
    const [weights, factor] = [w.map(() => pairLocal(f)), f.local('v128')];
    return x => {
      for (const [g, group] of weights.entries()) setPair(f, group, load(w[g], constantOf));
      for (let t = 0; t < tile; t++) {
        f.set(factor, v128.splat32(x, 4 * t));
        for (const [g, group] of weights.entries()) {
          const sum = sums[g][t];
          setPair(
            f,
            sum,
            pair(h => f32x4.add(sum[h], f32x4.mul(group[h], factor))),
          );
        }
      }
      for (const group of w) f.advance(group, blockBytes);
      f.advance(x, 4 * tile);
    };
  });
}

/** Row groups to a panel. */
export function unpackFloat(format: QuantFormat): Func<typeof unpackParams> {
  const f = new Func(`unpack_${format.name}`, unpackParams);
  const { w, panel } = f.params;
  const [load, groupBytes] = [loadOf(format), groupRows * format.blockBytes];
  const constantOf = constants(f, ['halfMask', 'halfScale']);
  f.for(unpackBlocks(f, groupBytes), () => {
    storePair(f, panel, load(w, constantOf));
    f.advance(w, groupBytes);
    f.advance(panel, panelBytesFloat(format));
  });
  return f;
}

/** The weighted sum of the values, and its division by the weights' sum. */
import { f32, f32x4, i32, type V128, v128 } from '../assembler.ts';
import { pair, pairLocal, setPair, storePair } from '../constants.ts';
import type { CacheReader } from './cache-format.ts';
import type { AttentionFunc, Page, State } from './frame.ts';

/** out[query][d] = out * decay + Σ weight[position] * value[position][d]. */
export function weigh(f: AttentionFunc, queries: number, page: Page, state: State, cache: CacheReader): void {
  const { out, headDim } = f.params;
  const sums = Array.from({ length: queries }, () => pairLocal(f));
  const values = pairLocal(f);
  const [row, value, weight, factor] = [f.local('i32', out), f.local('i32'), f.local('i32'), f.local('v128')];
  const column = f.local('i32', page.values);
  const step = f.local('i32', cache.rowBytes(headDim));
  const target = f.local('i32');
  const eachRow = (body: (i: number) => void) => {
    f.set(target, row);
    for (let i = 0; i < queries; i++) {
      body(i);
      f.advance(target, i32.shl(headDim, i32.const(2)));
    }
  };
  f.for(i32.shrU(headDim, i32.const(3)), () => {
    eachRow(i =>
      // The first page overwrites whatever stood there, NaN included.
      f.if(
        f32.lt(f32.const(0), state.decay[i]),
        () =>
          setPair(
            f,
            sums[i],
            pair(h => f32x4.mul(v128.load(target, 16 * h), f32x4.splat(state.decay[i]))),
          ),
        () =>
          setPair(
            f,
            sums[i],
            pair((): V128 => v128.const(new Uint8Array(16))),
          ),
      ),
    );
    f.set(value, i32.add(column, i32.mul(page.low, step)));
    f.set(weight, i32.add(page.scores, i32.shl(page.low, i32.const(2))));
    cache.startColumn(page, column);
    f.for(i32.sub(page.high, page.low), () => {
      setPair(f, values, cache.values(value));
      sums.forEach((sum, i) => {
        f.set(factor, v128.splat32(weight, 128 * i));
        setPair(
          f,
          sum,
          pair(h => f32x4.add(sum[h], f32x4.mul(factor, values[h]))),
        );
      });
      f.advance(value, step);
      cache.nextPosition();
      f.advance(weight, 4);
    });
    eachRow(i => storePair(f, target, sums[i]));
    f.advance(row, 32);
    f.advance(column, cache.columnBytes);
  });
}

/** out /= the sum of its weights. */
export function normalise(f: AttentionFunc, state: State): void {
  const { out, headDim } = f.params;
  for (const total of state.total) {
    const inverse = f.local('f32', f32.div(f32.const(1), total));
    f.for(i32.shrU(headDim, i32.const(3)), () => {
      storePair(
        f,
        out,
        pair(h => f32x4.mul(v128.load(out, 16 * h), f32x4.splat(inverse))),
      );
      f.advance(out, 32);
    });
  }
}

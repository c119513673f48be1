/** The weighted sum of a page's values, and the division of all by the weights' sum. */
import { f32, f32x4, i32, type Local, v128 } from '../assembler.ts';
import { constant, pair, pairLocal, setPair, storePair } from '../constants.ts';
import type { CacheReader } from './cache-format.ts';
import { type AttentionFunc, decayAt, keptAt, type Page, scoresAt, unrolled, wholeTotalAt, widthOf } from './frame.ts';

/** The sums at `into` = 0. */
export function clear(f: AttentionFunc, queries: number, into: Local<'i32'>): void {
  const { valueDim } = f.params;
  const [at, zero] = [f.local('i32', into), constant(f, 'zero')];
  f.for(i32.mul(i32.shrU(valueDim, i32.const(3)), i32.const(queries)), () => {
    storePair(f, at, zero);
    f.advance(at, 32);
  });
}

/** into[query][d] = into * decay + Σ weight[position] * value[position][d]. */
export function addWeightedValues(
  f: AttentionFunc,
  queries: number,
  page: Page,
  cache: CacheReader,
  into: Local<'i32'>,
): void {
  const { headDim } = f.params;
  const row = f.local('i32', into);
  const column = f.local('i32', page.values);
  const left = f.local('i32', i32.shrU(headDim, i32.const(3)));
  for (const width of new Set([widthOf(queries), 1])) {
    const enough = () => i32.ltU(i32.const(width - 1), left);
    const columns = addWeightedColumns(f, queries, page, cache, width);
    f.if(enough(), () =>
      f.doWhile(() => {
        columns(row, column);
        f.advance(row, 32 * width);
        f.advance(column, cache.columnBytes * width);
        f.advance(left, -width);
      }, enough),
    );
  }
}

/** The same for 8 * width dimensions, at `row` in the output and `column` in the page. */
function addWeightedColumns(f: AttentionFunc, queries: number, page: Page, cache: CacheReader, width: number) {
  const { headDim, scratch } = f.params;
  const sums = Array.from({ length: queries }, () => Array.from({ length: width }, () => pairLocal(f)));
  const values = Array.from({ length: width }, () => pairLocal(f));
  const [target, value, weight, factor] = [f.local('i32'), f.local('i32'), f.local('i32'), f.local('v128')];
  const step = f.local('i32');
  return (row: Local<'i32'>, column: Local<'i32'>): void => {
    f.set(step, cache.rowBytes(headDim));
    f.set(target, row);
    sums.forEach((sum, i) => {
      f.set(factor, v128.splat32(scratch, decayAt + 4 * i));
      sum.forEach((part, w) => {
        setPair(
          f,
          part,
          pair(h => f32x4.mul(v128.load(target, 32 * w + 16 * h), factor)),
        );
      });
      f.advance(target, i32.shl(headDim, i32.const(2)));
    });
    f.set(value, i32.add(column, i32.mul(page.low, step)));
    f.set(weight, i32.add(scratch, i32.shl(page.low, i32.const(2))));
    cache.startColumn(page, column);
    unrolled(f, i32.sub(page.high, page.low), () => {
      values.forEach((pair, w) => void setPair(f, pair, cache.values(value, w)));
      sums.forEach((sum, i) => {
        f.set(factor, v128.splat32(weight, scoresAt + 128 * i));
        sum.forEach((part, w) => {
          setPair(
            f,
            part,
            pair(h => f32x4.add(part[h], f32x4.mul(factor, values[w][h]))),
          );
        });
      });
      f.advance(value, step);
      cache.nextPosition();
      f.advance(weight, 4);
    });
    f.set(target, row);
    for (const sum of sums) {
      sum.forEach((part, w) => void storePair(f, target, part, 32 * w));
      f.advance(target, i32.shl(headDim, i32.const(2)));
    }
  };
}

/** out *= what is kept of it / the sum of its weights. */
export function normalise(f: AttentionFunc, queries: number): void {
  const { out, valueDim, scratch } = f.params;
  const [at, total] = [f.local('i32', out), f.local('i32', scratch)];
  const inverse = f.local('v128');
  f.for(i32.const(queries), () => {
    f.set(inverse, f32x4.splat(f32.div(f32.load(total, keptAt), f32.load(total, wholeTotalAt))));
    f.for(i32.shrU(valueDim, i32.const(3)), () => {
      storePair(
        f,
        at,
        pair(h => f32x4.mul(v128.load(at, 16 * h), inverse)),
      );
      f.advance(at, 32);
    });
    f.advance(total, 4);
  });
}

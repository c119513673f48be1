import { keepBest } from './select.ts';

/** Fills ids and keys with the `limit` best of the row (0: with all), keys being logits; returns how many. */
export function candidates(row: Float32Array, limit: number, ids: Int32Array, keys: Float64Array): number {
  const all = limit === 0 || limit >= row.length;
  const floor = all ? -Infinity : lowerBound(row, limit);
  let count = 0;
  for (let i = 0; i < row.length; i++) {
    if (row[i] < floor) continue;
    ids[count] = i;
    keys[count++] = row[i];
  }
  return all ? count : keepBest(ids, keys, count, limit, 'unit');
}

/** At most the `n`-th greatest of the row: the least of the maxima of n parts. Few logits reach it. */
function lowerBound(row: Float32Array, n: number): number {
  const size = Math.floor(row.length / n);
  let least = Infinity;
  for (let part = 0; part < n; part++) {
    let best = -Infinity;
    for (let i = part * size; i < (part + 1) * size; i++) best = Math.max(best, row[i]);
    least = Math.min(least, best);
  }
  return least;
}

/** NaN as soon as one of the values is. */
export function greatestOf(row: Float32Array): number {
  let best = -Infinity;
  for (let i = 0; i < row.length; i++) best = Math.max(best, row[i]);
  return best;
}

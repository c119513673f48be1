/**
 * Quickselect by mass: moves to the front of [0, count) the fewest leading candidates, by descending key (equal keys:
 * ascending id), whose mass adds up to `need`, and returns how many they are. They are not sorted among themselves, and
 * neither is the rest: expected time O(count). A candidate's mass is 1 (`unit`: keep the best n) or its key (keep the
 * smallest set that reaches a probability).
 *
 * ids: Int32Array // [count], keys: Float64Array // [count], permuted together
 */
export function keepBest(
  ids: Int32Array,
  keys: Float64Array,
  count: number,
  need: number,
  mass: 'unit' | 'key',
): number {
  let from = 0;
  let to = count;
  while (to - from > 1) {
    const middle = partition(ids, keys, from, to);
    const better = mass === 'unit' ? middle - from : sum(keys, from, middle);
    const pivot = mass === 'unit' ? 1 : keys[middle];
    if (better >= need) {
      to = middle;
    } else if (better + pivot >= need) {
      return middle + 1;
    } else {
      need -= better + pivot;
      from = middle + 1;
    }
  }
  return to;
}

/** Splits [from, to) around one of its elements and returns where that one ends up. */
function partition(ids: Int32Array, keys: Float64Array, from: number, to: number): number {
  const last = to - 1;
  swap(ids, keys, median(ids, keys, from, (from + last) >>> 1, last), last);
  const key = keys[last];
  const id = ids[last];
  let middle = from;
  for (let i = from; i < last; i++) {
    if (keys[i] > key || (keys[i] === key && ids[i] < id)) swap(ids, keys, i, middle++);
  }
  swap(ids, keys, middle, last);
  return middle;
}

function median(ids: Int32Array, keys: Float64Array, a: number, b: number, c: number): number {
  const before = (i: number, j: number): boolean => keys[i] > keys[j] || (keys[i] === keys[j] && ids[i] < ids[j]);
  if (before(a, b) === before(b, c)) return b;
  return before(a, b) === before(a, c) ? c : a;
}

function swap(ids: Int32Array, keys: Float64Array, i: number, j: number): void {
  const id = ids[i];
  const key = keys[i];
  ids[i] = ids[j];
  keys[i] = keys[j];
  ids[j] = id;
  keys[j] = key;
}

function sum(keys: Float64Array, from: number, to: number): number {
  let total = 0;
  for (let i = from; i < to; i++) total += keys[i];
  return total;
}

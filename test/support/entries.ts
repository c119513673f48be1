/** Entries of lists in tests: where one is missing the test fails there, and says how many there are. */
import assert from 'node:assert/strict';

export function at<T>(list: readonly T[], index: number): T {
  assert.ok(index < list.length, `there are ${list.length} entries and none at ${index}`);
  return list[index] as T;
}

export function first<T>(list: readonly T[]): T {
  return at(list, 0);
}

/** The entry of a list that must have no other. */
export function only<T>(list: readonly T[]): T {
  assert.equal(list.length, 1);
  return at(list, 0);
}

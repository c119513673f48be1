import assert from 'node:assert/strict';
import { test } from 'node:test';
import { groupRows, layouts, packedBytes, unpackRow } from './layout.ts';

test('a row is found in a matrix of more than 2 GiB', () => {
  const [rows, columns, layout] = [9_500_000, 256, layouts.Q8_0];
  // What is not touched takes no memory.
  const packed = new Uint8Array(packedBytes(layout, rows, columns));
  assert.ok(packed.length > 2 ** 31);
  const [small, bytes] = [new Uint8Array(packedBytes(layout, groupRows, columns)), packed.length / rows];
  for (let i = 0; i < small.length; i++) small[i] = (i * 7) % 251;
  packed.set(small, packed.length - small.length);
  const [found, wanted] = [new Uint8Array(bytes), new Uint8Array(bytes)];
  unpackRow(packed, layout, columns, rows - 3, found);
  unpackRow(small, layout, columns, groupRows - 3, wanted);
  assert.deepEqual(found, wanted);
  assert.ok(wanted.some(byte => byte > 0));
});

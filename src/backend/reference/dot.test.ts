import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { byteLength } from '../../quant/formats.ts';
import type { QuantType } from '../../quant/types.ts';
import { floats, weightBytes } from '../parity/data.ts';
import { dot, dotFloats, prepareInput, unpackRow } from './dot.ts';

const f = Math.fround;

describe('the order in which a row is added up', () => {
  test('is a chain for each 1,024 columns: what one chain would round away counts in the next', () => {
    const x = new Float32Array(1026);
    x.set([1, 1], 1024);
    x[0] = 2 ** 24;
    assert.equal(dotFloats(new Float32Array(1026).fill(1), x), 2 ** 24 + 2);
    const one = new Float32Array(1024);
    one.set([2 ** 24, 1, 1]);
    assert.equal(dotFloats(new Float32Array(1024).fill(1), one), 2 ** 24);
  });

  for (const type of ['F32', 'BF16', 'Q4_1', 'Q6_K'] as const satisfies QuantType[]) {
    test(`of ${type}: segments ascending, the last may be short`, () => {
      const columns = 2048 + 512;
      const [bytes, x] = [weightBytes(type, columns, 1), floats(2, columns)];
      const part = (from: number, to: number) => {
        const row = unpackRow(type, bytes.subarray(byteLength(type, from), byteLength(type, to)), to - from);
        return dot(row, prepareInput(type, x.subarray(from, to)));
      };
      const total = f(f(part(0, 1024) + part(1024, 2048)) + part(2048, columns));
      assert.equal(part(0, columns), total);
    });
  }
});

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { GuestError } from './abi.ts';
import { GuestMemory } from './guest-memory.ts';
import { MAX_PRODUCT, multiply } from './matmul.ts';

const memory = new WebAssembly.Memory({ initial: 1 });
const guest = new GuestMemory(memory);
const float = fc.float({ noNaN: true, min: -100, max: 100 });
const matrix = (rows: number, columns: number) =>
  fc.array(float, { minLength: rows * columns, maxLength: rows * columns });

test('a product is what its definition says, at any address, and is charged for', () => {
  const sizes = fc.tuple(fc.nat(5), fc.nat(5), fc.nat(5), fc.nat(3));
  const cases = sizes.chain(([m, k, n, shift]) => fc.tuple(fc.constant([m, k, n, shift]), matrix(m, k), matrix(k, n)));
  fc.assert(
    fc.property(cases, ([[m = 0, k = 0, n = 0, shift = 0], a, b]) => {
      const [at, bt, out] = [16 + shift, 1024 + shift, 2048 + shift];
      new Uint8Array(memory.buffer).set(new Uint8Array(Float32Array.from(a).buffer), at);
      new Uint8Array(memory.buffer).set(new Uint8Array(Float32Array.from(b).buffer), bt);
      let spent = 0;
      const code = multiply(guest, { a: at, b: bt, out, m, k, n }, units => {
        spent += units;
      });
      assert.equal(code, 0);
      assert.equal(spent, m * k * n + m * n);
      const got = new Float32Array(memory.buffer.slice(out, out + m * n * 4));
      for (let i = 0; i < m; i++)
        for (let j = 0; j < n; j++) {
          let sum = 0;
          for (let t = 0; t < k; t++) sum += a[i * k + t]! * b[t * n + j]!;
          assert.equal(got[i * n + j], Math.fround(sum));
        }
    }),
  );
});

test('what is too large or outside is refused, and nothing is computed', () => {
  const spend = () => assert.fail('not charged');
  const side = { a: 0, b: 0, out: 0, m: 1, k: 1, n: 1 };
  for (const large of [{ m: MAX_PRODUCT + 1 }, { k: 2 ** 32 - 1, n: 2 ** 32 - 1 }, { m: 0, k: 2 ** 31, n: 2 ** 31 }])
    assert.equal(multiply(guest, { ...side, ...large }, spend), GuestError.invalidArgument);
  for (const outside of [{ a: 65_535 }, { b: -4 }, { out: 65_533 }, { m: 200, k: 200 }])
    assert.equal(multiply(guest, { ...side, ...outside }, spend), GuestError.invalidPointer);
});

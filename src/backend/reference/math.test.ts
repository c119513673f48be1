import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { clampF16, expf, gelu, log1pf, nearestEven, sigmoid, silu, softcap, softplus, tanhf } from './math.ts';
import { quantize } from './quantize.ts';

const f = Math.fround;

function close(actual: number, expected: number, relative: number, absolute = 0): void {
  const error = Math.abs(actual - expected);
  assert.ok(error <= relative * Math.abs(expected) + absolute, `${actual}, expected ${expected}`);
}

test('nearestEven rounds halves to even', () => {
  const cases = [
    [0.5, 0],
    [1.5, 2],
    [2.5, 2],
    [-0.5, 0],
    [-1.5, -2],
    [126.50001, 127],
    [-126.4, -126],
  ];
  for (const [x, n] of cases) assert.equal(nearestEven(f(x)) + 0, n);
});

test('expf is within two units in the last place over its whole range', () => {
  fc.assert(
    fc.property(fc.float({ min: -87, max: 88, noNaN: true }), x => {
      close(expf(x), Math.exp(x), 2.4e-7);
    }),
  );
  assert.equal(expf(0), 1);
  assert.equal(expf(-1000), expf(-87));
  assert.equal(expf(1000), expf(88));
});

test('activations follow their definitions', () => {
  fc.assert(
    fc.property(fc.float({ min: -50, max: 50, noNaN: true }), x => {
      close(silu(x), x / (1 + Math.exp(-x)), 1e-6, 1e-20);
      close(tanhf(x), Math.tanh(x), 2e-6, 3e-7);
      close(gelu(x), 0.5 * x * (1 + Math.tanh(0.79788456 * (x + 0.044715 * x ** 3))), 1e-6, 2e-6);
      close(softcap(x, 30, f(1 / 30)), 30 * Math.tanh(x / 30), 1e-6, 1e-5);
    }),
  );
  for (const x of [1e4, 1e30]) {
    assert.equal(silu(x), f(x));
    assert.equal(gelu(x), f(x));
    assert.equal(Math.abs(gelu(-x)), 0);
  }
});

test('log1pf is within two units in the last place', () => {
  fc.assert(
    fc.property(fc.float({ min: 0, max: 1, noNaN: true }), y => {
      close(log1pf(y), Math.log1p(y), 2.4e-7, 1e-44);
    }),
  );
  for (let i = 0; i <= 4096; i++) close(log1pf(f(i / 4096)), Math.log1p(f(i / 4096)), 2.4e-7);
});

test('softplus and sigmoid follow their definitions, far out as well', () => {
  const exact = (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
  fc.assert(
    fc.property(fc.float({ min: -80, max: 80, noNaN: true }), x => {
      close(softplus(x), exact(x), 4e-7);
      close(sigmoid(x), 1 / (1 + Math.exp(-x)), 4e-7);
    }),
  );
  for (const x of [100, 1e4, 1e30]) {
    assert.equal(softplus(x), f(x));
    assert.equal(sigmoid(x), 1);
    for (const value of [softplus(-x), sigmoid(-x)]) assert.ok(value >= 0 && value < 1e-37);
  }
  assert.equal(softplus(0), f(Math.LN2));
});

test('clampF16 keeps what F16 can hold', () => {
  assert.equal(new Float16Array([clampF16(1e9)])[0], 65504);
  assert.equal(new Float16Array([clampF16(-70000)])[0], -65504);
  assert.equal(clampF16(f(0.1)), f(0.1));
});

test('quantised activations are within half a step, their sums exact', () => {
  const values = fc.array(fc.float({ min: -1000, max: 1000, noNaN: true }), { minLength: 256, maxLength: 256 });
  fc.assert(
    fc.property(values, fc.constantFrom(32, 256), (x, blockSize) => {
      const { q, d, sums } = quantize(Float32Array.from(x), blockSize);
      x.forEach((value, i) => {
        const step = d[Math.floor(i / blockSize)];
        close(q[i] * step, f(value), 1e-5, 0.5001 * step + 1e-29);
      });
      sums.forEach((sum, s) => {
        assert.equal(
          sum,
          q.slice(16 * s, 16 * s + 16).reduce((a, b) => a + b, 0),
        );
      });
    }),
    { numRuns: 50 },
  );
});

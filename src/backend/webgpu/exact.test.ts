import assert from 'node:assert/strict';
import { test } from 'node:test';
import { random } from '../parity/data.ts';
import { Context } from './context.ts';
import { exactArithmetic } from './exact.ts';
import { defineKernel } from './kernel.ts';

/** Numbers of any exponent in [-bits, bits], many of them with mantissas of few bits. */
function numbers(seed: number, count: number, bits: number): Float32Array {
  const next = random(seed);
  return Float32Array.from({ length: count }, () => {
    const mantissa = next() < 0.2 ? 1 + Math.floor(next() * 8) / 8 : 1 + Math.floor(next() * 2 ** 23) / 2 ** 23;
    const nearTwo = next() < 0.1 ? 2 - 2 ** -23 * Math.ceil(next() * 4) : mantissa;
    return (next() < 0.5 ? -1 : 1) * nearTwo * 2 ** Math.floor((next() * 2 - 1) * bits);
  });
}

/** Estimates that are off by some units in the last place. */
const offBy = (ulp: number) => ({
  quotient: `bitcast<f32>(bitcast<u32>(x / y) + ${ulp >>> 0}u)`,
  root: `bitcast<f32>(bitcast<u32>(sqrt(x)) + ${ulp >>> 0}u)`,
});

const count = 1 << 14;

for (const ulp of [0, 3, -3, 4, -4])
  test(`quotients and roots are rounded once where the device is ${ulp} ULP off`, async () => {
    const kernel = defineKernel({
      ...{ name: 'exact', params: { a: 'u32', b: 'u32', out: 'u32' }, work: 'f32', workgroup: 64 },
      declarations: exactArithmetic(offBy(ulp)),
      main: `
  let i = group.x * 64 + lane;
  work[p.out + 2 * i] = divide(work[p.a + i], work[p.b + i]);
  work[p.out + 2 * i + 1] = root(abs(work[p.a + i]));`,
    });
    const context = await Context.open();
    const [a, b] = [numbers(1, count, 60), numbers(2, count, 60)];
    const special = [0, -0, 1, Infinity, 2 ** 127, 2 ** -126, 4, 2 ** -120, 3];
    for (const [i, x] of special.entries()) {
      a.fill(x, i * special.length, (i + 1) * special.length);
      b.set(special, i * special.length);
    }
    const out = context.buffer(1, 2 * count);
    context.recorder.record(kernel, [count / 64], { a: context.vector(a).at, b: context.vector(b).at, out: out.at });
    context.recorder.submit();
    const part = { buffer: context.work.buffer(), at: out.at * 4, bytes: 8 * count };
    const results = new Float32Array((await context.readback.read([part])).buffer);
    a.forEach((x, i) => {
      const y = b[i] ?? 0;
      const expected = [Math.fround(x / y), Math.fround(Math.sqrt(Math.abs(x)))];
      expected.forEach((value, j) => {
        const found = results[2 * i + j] ?? Number.NaN;
        // What is below the normal numbers may be zero on a device.
        const tiny = Math.abs(value) < 2 ** -126 && Math.abs(found) <= 2 ** -126;
        assert.ok(tiny || Object.is(found, value), `of ${x} and ${y}: ${found}, not ${value}`);
      });
    });
    context.close();
  });

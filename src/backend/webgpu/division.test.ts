import assert from 'node:assert/strict';
import { test } from 'node:test';
import { random } from '../parity/data.ts';
import { Context } from './context.ts';
import { divisionCode } from './division.ts';
import { defineKernel } from './kernel.ts';

const count = 4096;

/** Divides, from a quotient that is wrong by so many units of its last place. */
const kernel = defineKernel({
  name: 'divide',
  params: { a: 'u32', b: 'u32', out: 'u32', wrong: 'i32' },
  workgroup: 64,
  declarations: divisionCode,
  main: `
  let i = group.x * 64 + lane;
  let a = work[p.a + i];
  let b = work[p.b + i];
  let near = bitcast<u32>(bitcast<f32>(a) / bitcast<f32>(b)) + u32(p.wrong);
  work[p.out + i] = select(nearestQuotient(near, a, b), bitcast<u32>(divide(bitcast<f32>(a), -bitcast<f32>(b))), p.wrong == 4);`,
});

test('quotients are rounded to nearest even, wherever a device ends near to that', async () => {
  const context = await Context.open();
  const next = random(1);
  const number = () =>
    next() < 0.2 ? 2 ** Math.floor(next() * 40 - 20) : (1 + next()) * 2 ** Math.floor(next() * 40 - 20);
  const a = Float32Array.from({ length: count }, (_, i) => (i % 3 ? number() : 1));
  // Many quotients beside a power of two.
  const b = a.map((x, i) => (i % 4 ? number() : i % 8 ? 127 : x * (1 + (Math.floor(next() * 9) - 4) * 2 ** -23)));
  const [atA, atB, out] = [a, b, new Float32Array(count)].map(values => context.vector(values).at);
  for (const wrong of [-3, -2, -1, 0, 1, 2, 3, 4]) {
    context.recorder.record(kernel, [count / 64], { a: atA!, b: atB!, out: out!, wrong });
    context.recorder.submit();
    const part = { buffer: context.work.buffer(), at: 4 * out!, bytes: 4 * count };
    const found = new Float32Array((await context.readback.read([part])).buffer);
    for (let i = 0; i < count; i++) {
      const wanted = Math.fround(a[i]! / (wrong === 4 ? -b[i]! : b[i]!));
      if (!Object.is(found[i], wanted)) assert.fail(`${a[i]} / ${b[i]}, off by ${wrong}: ${found[i]}, not ${wanted}`);
    }
  }
  context.close();
});

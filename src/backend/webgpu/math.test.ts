import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expf as exp, softcap } from '../reference/math.ts';
import { Context } from './context.ts';
import { defineKernel } from './kernel.ts';
import { expf, mathOf, softcapf, tanhf } from './math.ts';

const count = 4096;

const kernel = defineKernel({
  name: 'math',
  params: { cap: 'f32', inverse: 'f32' },
  work: 'f32',
  workgroup: 64,
  declarations: expf + tanhf + softcapf + mathOf(4),
  main: `
  let at = group.x * 64 + lane;
  let x = work[at];
  work[at + ${count}] = expf(x);
  work[at + ${2 * count}] = exps(vec4f(0, 1, x, 2)).z;
  work[at + ${3 * count}] = softcapf(x, p.cap, p.inverse);
  work[at + ${4 * count}] = softcaps(vec4f(0, x, 1, 2), p.cap, p.inverse).y;`,
});

test('exp and softcap give the bits of the numerics', async () => {
  const context = await Context.open();
  const buffer = context.buffer(5, count);
  const x = Float32Array.from({ length: count }, (_, i) => (i - count / 2) * 0.0517);
  context.work.write(buffer.at, x);
  context.recorder.record(kernel, [count / 64], { cap: 30, inverse: Math.fround(1 / 30) });
  context.recorder.submit();
  const part = { buffer: context.work.buffer(), at: (buffer.at + count) * 4, bytes: 16 * count };
  const found = new Float32Array((await context.readback.read([part])).buffer);
  const [exps, caps] = [x.map(exp), x.map(each => softcap(each, 30, Math.fround(1 / 30)))];
  assert.deepEqual(found.subarray(0, count), exps);
  assert.deepEqual(found.subarray(count, 2 * count), exps);
  assert.deepEqual(found.subarray(2 * count, 3 * count), caps);
  assert.deepEqual(found.subarray(3 * count), caps);
  context.close();
});

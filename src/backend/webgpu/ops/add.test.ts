import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Context } from '../context.ts';
import { add } from './add.ts';

test('adds rows, and what grows keeps what it held', async () => {
  const context = await Context.open();
  const [out, x] = [context.buffer(3, 70), context.buffer(3, 70)];
  context.work.write(out.at + out.stride, new Float32Array(70).fill(1.5));
  context.work.write(
    x.at + x.stride,
    Float32Array.from({ length: 70 }, (_, i) => i),
  );
  context.buffer(1000, 1000);
  add(context, out, x, 3);
  add(context, out, x, 2);
  context.recorder.submit();
  const part = { buffer: context.work.buffer(), at: (out.at + out.stride) * 4, bytes: 280 };
  const values = new Float32Array((await context.readback.read([part])).buffer);
  assert.deepEqual(
    [...values],
    Array.from({ length: 70 }, (_, i) => 1.5 + 2 * i),
  );
  context.close();
});

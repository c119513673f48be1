import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expf as exp, softcap } from '../reference/math.ts';
import { Context } from './context.ts';
import { exactArithmetic } from './exact.ts';
import { defineKernel } from './kernel.ts';
import { mathOf, softcaps } from './math.ts';

const count = 4096;

for (const [width, place] of [
  [1, 'x'],
  [2, 'vec2f(1, x)'],
  [4, 'vec4f(0, 1, 2, x)'],
] as const) {
  const last = width === 1 ? '' : `[${width - 1}]`;
  const kernel = defineKernel({
    name: 'math',
    params: { cap: 'f32', inverse: 'f32' },
    work: 'f32',
    workgroup: 64,
    declarations: exactArithmetic() + mathOf(width) + softcaps,
    main: `
    let at = group.x * 64 + lane;
    let x = work[at];
    work[at + ${count}] = exps(${place})${last};
    work[at + ${2 * count}] = softcaps(${place}, p.cap, p.inverse)${last};`,
  });

  test(`exp and softcap of ${width} at once give the bits of the numerics`, async () => {
    const context = await Context.open();
    const buffer = context.buffer(3, count);
    const x = Float32Array.from({ length: count }, (_, i) => (i - count / 2) * 0.0517);
    context.work.write(buffer.at, x);
    const inverse = Math.fround(1 / 30);
    context.recorder.record(kernel, [count / 64], { cap: 30, inverse });
    context.recorder.submit();
    const part = { buffer: context.work.buffer(), at: (buffer.at + count) * 4, bytes: 8 * count };
    const found = new Float32Array((await context.readback.read([part])).buffer);
    assert.deepEqual(found.subarray(0, count), x.map(exp));
    assert.deepEqual(
      found.subarray(count),
      x.map(each => softcap(each, 30, inverse)),
    );
    context.close();
  });
}

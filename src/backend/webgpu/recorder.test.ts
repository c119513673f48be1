import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Context } from './context.ts';
import { defineKernel } from './kernel.ts';
import { wordsOf } from './testing/part-of-backend.ts';

const append = defineKernel({
  ...{ name: 'append', params: { at: 'u32', table: 'u32' }, workgroup: 1 },
  main: 'work[p.at] = 10 * work[p.at] + tables[p.table];',
});

async function opened() {
  const context = await Context.open();
  const { at } = context.buffer(1, 1);
  const { recorder } = context;
  return {
    context,
    add: (digit: number) => recorder.record(append, [1], { at, table: recorder.table(Uint32Array.of(digit)) }),
    read: async () => (await wordsOf(context, [{ at, count: 1 }]))[0]!,
    write: (word: number) => context.work.write(at, Uint32Array.of(word)),
  };
}

test('the host works between what is recorded before and behind', async () => {
  const { context, add, read, write } = await opened();
  add(1);
  context.recorder.host(async () => {
    assert.equal(await read(), 1);
    write(7);
  });
  add(2);
  context.recorder.host(async () => assert.equal(await read(), 72));
  context.recorder.host(async () => write(5));
  add(3);
  await context.recorder.run();
  assert.equal(await read(), 53);
  context.close();
});

test('nobody waits for work that stands last, but the next run does', async () => {
  const { context, add, read, write } = await opened();
  const { promise, resolve } = Promise.withResolvers<void>();
  context.recorder.host(() => promise.then(() => write(4)));
  await context.recorder.run();
  add(2);
  const next = context.recorder.run();
  assert.equal(await read(), 0);
  resolve();
  await next;
  assert.equal(await read(), 42);
  context.close();
});

test('what goes wrong on the host is heard of in the next run, and once', async () => {
  const { context, add, read } = await opened();
  context.recorder.host(async () => {
    throw new Error('no');
  });
  await context.recorder.run();
  add(1);
  await assert.rejects(context.recorder.run(), { message: 'no' });
  await context.recorder.run();
  assert.equal(await read(), 1);
  context.close();
});

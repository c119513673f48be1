import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Channel } from './channel.ts';

async function* itemsOf<T>(channel: Channel<T>): AsyncGenerator<T> {
  for (let item = await channel.take(); item !== undefined; item = await channel.take()) yield item;
}

test('what was written before the end is read, then the channel is closed', async () => {
  const channel = new Channel<number>(2);
  channel.push(1);
  channel.push(2);
  channel.close();
  channel.push(3);
  assert.deepEqual(await Array.fromAsync(itemsOf(channel)), [1, 2]);
});

test('a reader waits for the writer', async () => {
  const channel = new Channel<string>(2);
  const reading = Array.fromAsync(itemsOf(channel));
  await Promise.resolve();
  channel.push('a');
  await new Promise(resolve => setImmediate(resolve));
  channel.push('b');
  channel.close();
  assert.deepEqual(await reading, ['a', 'b']);
});

test('an error is thrown after what was written, or at once', async () => {
  for (const [drop, read] of [
    [false, ['a']],
    [true, []],
  ] as const) {
    const channel = new Channel<string>(2);
    channel.push('a');
    channel.fail(new Error('first'), { drop });
    channel.fail(new Error('second'), { drop: true });
    const seen: string[] = [];
    const reading = async () => {
      for await (const item of itemsOf(channel)) seen.push(item);
    };
    await assert.rejects(reading(), /first/);
    assert.deepEqual(seen, read);
  }
});

test('room waits until the reader has caught up, or the channel ends', async () => {
  const channel = new Channel<number>(1);
  channel.push(1);
  let free = false;
  const waiting = channel.room().then(() => {
    free = true;
  });
  await new Promise(resolve => setImmediate(resolve));
  assert.equal(free, false);
  assert.equal(await channel.take(), 1);
  await waiting;
  channel.push(2);
  const ended = channel.room();
  channel.close();
  await ended;
});

test('a long queue is read in order, however it is filled and emptied', async () => {
  const channel = new Channel<number>(10);
  let written = 0;
  for (let read = 0; read < 5000; read++) {
    while (written < 2 * read + 10 && written < 5000) channel.push(written++);
    assert.equal(await channel.take(), read);
  }
});

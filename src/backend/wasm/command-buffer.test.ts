import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { maxTile } from '../../kernels/activation.ts';
import { CommandBuffer, stopPhase } from './command-buffer.ts';
import { add } from './ops/add.ts';
import { scale } from './ops/scale.ts';
import { ThreadContext } from './thread-context.ts';
import { ThreadPool } from './thread-pool.ts';

const nothing = (commands: CommandBuffer) =>
  commands.push(scale, 0, 0, 1, { rows: 0, x: 0, stride: 0, eights: 0, factor: 1 });

test('a thread that never arrives ends the step instead of holding it for ever', () => {
  const commands = new CommandBuffer(2, undefined, 20);
  nothing(commands);
  assert.equal(commands.start(new ThreadContext(4096, [], maxTile)), 'stalled');
});

test('a command that throws fails the step; the next one runs', async () => {
  const pool = await ThreadPool.start(2, thread => 4096 * (1 + thread), [], maxTile);
  // Without a memory there is nothing to work on.
  pool.commands.push(add, 0, 4, 1, { rows: 4, out: 0, x: 0, stride: 0, eights: 0 });
  assert.throws(() => pool.run(), { code: 'engine_failed', message: /a kernel failed/ });
  nothing(pool.commands);
  pool.run();
  await pool.close();
});

test('a pool that has lost a thread refuses to run', async () => {
  const pool = await ThreadPool.start(2, thread => 4096 * (1 + thread), [], maxTile);
  await pool.close();
  nothing(pool.commands);
  assert.throws(() => pool.run(), { code: 'engine_failed', message: /a compute thread died/ });
});

/** A compute thread that the system takes off its processor whenever it is about to look whether the step was stopped. */
const lateThread = `
  const { workerData: { shared, module, stopPhase } } = require('node:worker_threads');
  const { load } = Atomics;
  const pause = new Int32Array(new SharedArrayBuffer(4));
  Atomics.load = (array, index) => {
    if (index === stopPhase && array.buffer === shared) Atomics.wait(pause, 0, 0, 5);
    return load(array, index);
  };
  import(module).then(({ CommandBuffer }) => {
    const commands = new CommandBuffer(2, shared);
    for (let seen = commands.await(0); seen > 0; seen = commands.await(seen)) commands.work(undefined, seen);
  });
`;

test('a thread that hears late that a step was stopped is not taken for one that works on the next', async () => {
  const commands = new CommandBuffer(2, undefined, 5_000);
  const module = new URL('./command-buffer.ts', import.meta.url).href;
  const workerData = { shared: commands.shared, module, stopPhase };
  const late = new Worker(lateThread, { eval: true, workerData });
  const context = new ThreadContext(4096, [], maxTile);
  try {
    // At which barrier each step is stopped, of three; behind the last one nothing is left to stop.
    for (const at of Array.from({ length: 8 }, () => [1, 0, 0, 2, 0, 3, 0]).flat()) {
      for (let i = 0; i < 3; i++) nothing(commands);
      let barrier = 0;
      assert.equal(
        commands.start(context, () => barrier++ === at),
        at < 2 ? 'preempted' : 'done',
      );
    }
  } finally {
    commands.stop();
    await late.terminate();
  }
});

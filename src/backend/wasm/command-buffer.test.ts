import assert from 'node:assert/strict';
import { test } from 'node:test';
import { maxTile } from '../../kernels/activation.ts';
import { CommandBuffer } from './command-buffer.ts';
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

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

test('many threads are no leak of listeners', () => {
  const script = `
    import { once } from 'node:events';
    import { Worker } from 'node:worker_threads';
    import { quietBrokenPipes } from ${JSON.stringify(new URL('./output.ts', import.meta.url).href)};
    quietBrokenPipes();
    const threads = Array.from({ length: 11 }, () => new Worker('setInterval(() => {}, 1000)', { eval: true }));
    await Promise.all(threads.map(thread => once(thread, 'online')));
    for (const stream of [process.stdout, process.stderr]) stream.once('error', () => {});
    setImmediate(() => process.exit(0));`;
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  assert.doesNotMatch(stderr, /MaxListenersExceededWarning/);
});

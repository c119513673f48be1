import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { startThread } from './threads.ts';

test('a thread that is asked again what it has computed before it has said so has one listener', async () => {
  const warned = mock.fn();
  process.on('warning', warned);
  const source = `
    import { parentPort } from 'node:worker_threads';
    parentPort.postMessage('here');
    parentPort.once('message', () => { for (const end = Date.now() + 300; Date.now() < end; ); });`;
  const thread = startThread(
    { file: `data:text/javascript,${encodeURIComponent(source)}`, from: import.meta.url },
    undefined,
  );
  await new Promise<unknown>(resolve => thread.onMessage(resolve));
  thread.post('compute');
  const answers = await Promise.all(Array.from({ length: 30 }, () => thread.cpuMs()));
  assert.ok(answers.every(each => each === answers[0]));
  await thread.terminate();
  await new Promise(setImmediate);
  assert.equal(warned.mock.callCount(), 0);
  process.off('warning', warned);
});

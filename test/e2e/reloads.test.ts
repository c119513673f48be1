import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reload } from '../../scripts/bench/reloads/run.ts';

test('a model is unloaded thirty times under requests: none fails, and its memory comes back', async () => {
  const { loads, failed, resident, buffers } = await reload({ times: 30 });
  assert.deepEqual([loads, failed], [30, []]);
  // An engine that somebody keeps is 2 MB of mailbox. The collector may not get at the last ones at once.
  assert.ok(Math.min(...buffers.slice(-3)) < 10e6, `${buffers.join(', ')} bytes of buffers`);
  // The first loads warm the heap up.
  const [warm, last] = [resident[2]!, resident.at(-1)!];
  assert.ok(last < warm * 1.3 + 30e6, `${resident.map(bytes => Math.round(bytes / 1e6)).join(', ')} MB`);
});

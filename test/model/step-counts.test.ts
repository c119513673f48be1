import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countAllocations, countMessages, countSteps, readRecord } from '../support/step-counts.ts';

/** A slow-down that shows in numbers fails here, on any machine and without a clock. See scripts/record-counts.ts. */
const record = readRecord();
const advice = 'if it is meant, record it with scripts/record-counts.ts and say why';

// First, while no other test's objects have made the code that it measures more general.
test('a step allocates no more than recorded', async t => {
  const allocated = await countAllocations();
  t.diagnostic(`${allocated} bytes a step, ${record.allocatedBytes} recorded`);
  assert.ok(allocated <= 1.15 * record.allocatedBytes, `${allocated} bytes a step; ${advice}`);
});

test('steps have the commands, barriers, items and bytes of weights that are recorded', async () => {
  const steps = await countSteps();
  for (const [title, counts] of Object.entries(steps))
    assert.deepEqual(counts, record.steps[title], `${title}; ${advice}`);
  assert.deepEqual(Object.keys(steps), Object.keys(record.steps));
});

test('tokens leave the engine in as many messages as recorded', async t => {
  // Only the clock of the steps sends what waits.
  t.mock.timers.enable({ apis: ['setTimeout'] });
  assert.deepEqual(await countMessages(), record.messages, advice);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Token } from '../../tokenizer/types.ts';
import { pending, type Sequence } from '../sequence.ts';
import { sequence, setUp, step } from './testing/steps.ts';

test('a prompt goes in pieces, and decoding goes first', () => {
  const { scheduler } = setUp();
  const [short, long] = [sequence('a', 10), sequence('a', 150)];
  scheduler.submit(short);
  assert.deepEqual(step(scheduler), [{ sequence: short, count: 10 }]);
  scheduler.submit(long);
  for (const count of [32, 32, 32, 32, 22]) {
    assert.deepEqual(step(scheduler), [
      { sequence: short, count: 1 },
      { sequence: long, count },
    ]);
  }
  assert.deepEqual(
    step(scheduler).map(({ count }) => count),
    [1, 1],
  );
});

test('without others decoding, a prompt has the whole step', () => {
  const { scheduler } = setUp();
  scheduler.submit(sequence('a', 150));
  assert.deepEqual(
    [step(scheduler), step(scheduler), step(scheduler)].map(work => work[0]?.count),
    [64, 64, 22],
  );
});

test('prompts that are scored share the rows of logits that nobody else needs, and cost more room', () => {
  const { scheduler } = setUp({ maxOutputs: 20 });
  const scored = () => Object.assign(sequence('b', 60), { rowsFrom: 0 });
  const counts = () => step(scheduler).map(work => work.count);
  for (const each of [scored(), scored()]) scheduler.submit(each);
  // 12 rows beyond one for each that may run, and each has its own.
  assert.deepEqual(counts(), [13, 1]);
  scheduler.submit(sequence('a', 3));
  assert.deepEqual(counts(), [3]);
  // Beside one that decodes: a third of the 32 tokens of a piece, and nothing is left of them.
  assert.deepEqual(counts(), [1, 11]);
});

test('a prompt that fits in the step is finished before another is begun, a long one is not', () => {
  const { scheduler } = setUp();
  const [first, second, third] = [sequence('a', 40), sequence('b', 40), sequence('c', 40)];
  for (const each of [first, second, third]) scheduler.submit(each);
  const counts = () => step(scheduler).map(work => [[first, second, third].indexOf(work.sequence), work.count]);
  assert.deepEqual(counts(), [
    [0, 40],
    [1, 24],
  ]);
  assert.deepEqual(counts(), [
    [0, 1],
    [1, 16],
    [2, 16],
  ]);
  const long = setUp().scheduler;
  long.submit(sequence('a', 1000));
  step(long);
  const other = sequence('b', 20);
  long.submit(other);
  assert.deepEqual(step(long)[0], { sequence: other, count: 20 });
});

test('higher priorities go first among a tenant’s own, then age', () => {
  const { scheduler } = setUp({ maxRunning: 1 });
  const [first, second, urgent] = [sequence('a', 4), sequence('a', 4), sequence('a', 4, 5)];
  for (const each of [first, second, urgent]) scheduler.submit(each);
  const order: Sequence[] = [];
  for (let i = 0; i < 3; i++) {
    for (const { sequence: ran } of step(scheduler)) {
      order.push(ran);
      scheduler.remove(ran, true);
    }
  }
  assert.deepEqual(order, [urgent, first, second]);
});

test('a tenant that arrives beside a flooder has a place in the next step', () => {
  const { scheduler } = setUp();
  for (let i = 0; i < 40; i++) scheduler.submit(sequence('flooder', 8));
  for (let i = 0; i < 20; i++) step(scheduler);
  assert.equal(scheduler.running.size, 8);
  const quiet = sequence('quiet', 20);
  scheduler.submit(quiet);
  const work = step(scheduler);
  assert.deepEqual(work.at(-1), { sequence: quiet, count: 20 });
  assert.equal(scheduler.preemptions, 1);
  // The one that was preempted kept its pages in the cache and goes on when there is a place.
  for (let i = 0; i < 5; i++) step(scheduler);
  assert.equal(scheduler.preemptions, 1, 'nobody is pushed out twice for the same guest');
});

test('a flooder alone uses every place', () => {
  const { scheduler } = setUp();
  for (let i = 0; i < 40; i++) scheduler.submit(sequence('flooder', 4));
  for (let i = 0; i < 5; i++) step(scheduler);
  assert.equal(scheduler.running.size, 8);
});

test('when pages run out, the youngest of the tenant with the most is preempted', () => {
  const { scheduler, pool } = setUp({}, 6);
  const [small, old, young] = [sequence('small', 30), sequence('big', 62), sequence('big', 62)];
  for (const each of [small, old, young]) scheduler.submit(each);
  while (young.state === 'waiting') step(scheduler);
  while (scheduler.preemptions === 0) step(scheduler);
  assert.equal(young.state, 'waiting');
  assert.equal(old.state, 'running');
  assert.equal(small.state, 'running');
  assert.equal(young.pages.length, 0);
  scheduler.remove(old, false);
  scheduler.remove(small, false);
  const before = young.tokens.length;
  while (young.tokens.length === before) step(scheduler);
  scheduler.remove(young, false);
  assert.equal(pool.used, 0);
});

test('a step is planned in less than a millisecond with 10,000 requests waiting', () => {
  for (const tenants of [1, 100, 10_000]) {
    const { scheduler } = setUp({ maxRunning: 16, maxBatchedTokens: 256, prefillChunk: 128 }, 1024);
    for (let i = 0; i < 10_000; i++) scheduler.submit(sequence(`t${i % tenants}`, 100));
    const times: number[] = [];
    for (let i = 0; i < 300; i++) {
      const started = performance.now();
      const { work } = scheduler.plan();
      scheduler.commit(work);
      times.push(performance.now() - started);
      for (const { sequence: each } of work) {
        if (each.computed === each.tokens.length) scheduler.append(each, 7 as Token);
        if (each.tokens.length - each.promptTokens > 20) scheduler.remove(each, true);
      }
      assert.ok(work.length > 0);
    }
    const median = times.sort((a, b) => a - b).at(150);
    assert.ok(median !== undefined && median < 1, `${tenants} tenants: ${median} ms`);
  }
});

test('a tenant may have a queue of its own length', () => {
  const { scheduler } = setUp({ maxRunning: 1, maxWaiting: 3, maxWaitingOf: new Map([['short', 1]]) });
  for (const [tenant, most] of [
    ['short', 1],
    ['other', 3],
  ] as const) {
    for (let i = 0; i < most; i++) {
      assert.ok(scheduler.canSubmit(tenant));
      scheduler.submit(sequence(tenant, 4));
    }
    assert.ok(!scheduler.canSubmit(tenant));
  }
});

test('whole texts are in one step or wait for the next', () => {
  const { scheduler } = setUp({ wholeTexts: true, prefillChunk: 64 });
  const texts = [40, 30, 20, 64, 1].map(length => sequence('a', length));
  for (const text of texts) scheduler.submit(text);
  const steps: number[][] = [];
  while (steps.flat().length < texts.length) {
    const { work } = scheduler.plan();
    assert.ok(work.every(({ sequence: each, count }) => count === pending(each)));
    scheduler.commit(work);
    for (const { sequence: each } of work) scheduler.remove(each, true);
    steps.push(work.map(({ count }) => count));
  }
  assert.deepEqual(
    steps.map(counts => counts.reduce((sum, count) => sum + count, 0) <= 64),
    steps.map(() => true),
  );
  assert.deepEqual(steps.flat().sort(), [1, 20, 30, 40, 64].sort());
});

test('a whole text that is its tenant’s first has a step for itself beside others', () => {
  const { scheduler } = setUp({ wholeTexts: true, prefillChunk: 64 });
  const urgent = sequence('b', 50);
  for (const length of [60, 60]) scheduler.submit(sequence('a', length));
  scheduler.plan();
  scheduler.submit(urgent);
  assert.deepEqual(
    scheduler.plan().work.map(({ sequence: each, count }) => [each.tenant, count]),
    [['b', 50]],
  );
});

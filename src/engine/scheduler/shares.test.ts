/** Tenants are served alike, or by their weights, and soon. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SchedulerOptions } from './scheduler-options.ts';
import { sequence, setUp, step } from './testing/steps.ts';

/** What a tenant asks for, again and again. */
interface Load {
  readonly weight: number;
  readonly prompt: number;
  readonly answer: number;
}

/** Tenants that always have requests waiting; returns what each was served while the steps went by. */
function contend(loads: Readonly<Record<string, Load>>, steps: number) {
  const tenants = Object.keys(loads);
  const weights = new Map(Object.entries(loads).map(([tenant, { weight }]) => [tenant, weight]));
  const { scheduler } = setUp({ maxRunning: 4, weights }, 128);
  const start = new Map<string, number>();
  let widest = 0;
  for (let i = 0; i < steps; i++) {
    for (const [tenant, { prompt }] of Object.entries(loads)) {
      while (scheduler.queued(tenant) < 2) scheduler.submit(sequence(tenant, prompt));
    }
    for (const { sequence: each } of step(scheduler)) {
      const done = each.tokens.length - each.promptTokens >= (loads[each.tenant]?.answer ?? 0);
      if (done) scheduler.remove(each, false);
    }
    if (i === 50) for (const tenant of tenants) start.set(tenant, scheduler.served(tenant));
    const served = tenants.map(tenant => scheduler.served(tenant));
    widest = Math.max(widest, Math.max(...served) - Math.min(...served));
  }
  return { widest, gained: tenants.map(tenant => scheduler.served(tenant) - (start.get(tenant) ?? 0)) };
}

test('tenants that always wait are served alike, whatever they ask for', () => {
  const loads = {
    a: { weight: 1, prompt: 200, answer: 2 },
    b: { weight: 1, prompt: 5, answer: 60 },
    c: { weight: 1, prompt: 40, answer: 20 },
  };
  const { widest, gained } = contend(loads, 4000);
  // At once running: 4 places x (prompt + 2 x answer).
  const bound = 4 * 204;
  assert.ok(widest <= bound, `served ${widest} apart`);
  for (const each of gained) assert.ok(Math.abs(each / Math.max(...gained) - 1) < 0.1, `gained ${gained}`);
});

test('tenants are served by their weights', () => {
  const [prompt, answer] = [30, 10];
  const { gained } = contend({ a: { weight: 1, prompt, answer }, b: { weight: 3, prompt, answer } }, 4000);
  // `served` is divided by the weight already.
  assert.ok(Math.min(...gained) / Math.max(...gained) > 0.9, `gained ${gained}`);
});

/** A tenant with all eight places and more requests waiting, decoding. */
function flooded(options: Partial<SchedulerOptions> = {}) {
  const { scheduler } = setUp(options);
  for (let i = 0; i < 12; i++) scheduler.submit(sequence('flood', 4));
  step(scheduler);
  step(scheduler);
  return scheduler;
}

test('a tenant that comes while one takes more than its share has the next step for itself, and not every step', () => {
  const scheduler = flooded();
  const quiet = sequence('quiet', 20);
  scheduler.submit(quiet);
  assert.deepEqual(step(scheduler), [{ sequence: quiet, count: 20 }]);
  // The next that comes waits until the others had a step.
  scheduler.submit(sequence('third', 20));
  const after = step(scheduler);
  assert.ok(after.filter(({ sequence: { tenant } }) => tenant === 'flood').length >= 6);
  assert.ok(after.some(({ sequence: each }) => each === quiet));
});

test('a step is preempted for such a tenant, who pays for what was lost; not among equals, nor for the flooder itself', () => {
  const scheduler = flooded();
  const { work } = scheduler.plan();
  assert.ok(!scheduler.shouldPreempt(work));
  scheduler.submit(sequence('flood', 4));
  assert.ok(!scheduler.shouldPreempt(work));
  const quiet = sequence('quiet', 20);
  scheduler.submit(quiet);
  assert.ok(scheduler.shouldPreempt(work));
  const before = scheduler.served('quiet');
  scheduler.preemptStep(work, 0.5);
  assert.deepEqual(step(scheduler), [{ sequence: quiet, count: 20 }]);
  const lost = 0.5 * work.reduce((sum, { count }) => sum + count, 0);
  // Its prompt, what was lost, and the token that it got.
  assert.equal(scheduler.served('quiet') - before, 20 + lost + 2);

  const equals = setUp().scheduler;
  for (const tenant of ['a', 'b', 'c']) equals.submit(sequence(tenant, 4));
  const running = equals.plan().work;
  equals.submit(sequence('d', 4));
  assert.ok(!equals.shouldPreempt(running));
});

test('a step that nobody wants any more is preempted', () => {
  const { scheduler } = setUp();
  const [a, b] = [sequence('a', 20), sequence('b', 20)];
  for (const each of [a, b]) scheduler.submit(each);
  const { work } = scheduler.plan();
  scheduler.remove(a, true);
  assert.ok(!scheduler.shouldPreempt(work));
  scheduler.remove(b, true);
  assert.ok(scheduler.shouldPreempt(work));
});

test('a step for one prompt alone is no longer than any other', () => {
  const scheduler = flooded({ maxBatchedTokens: 16, prefillChunk: 100 });
  const quiet = sequence('quiet', 50);
  scheduler.submit(quiet);
  assert.deepEqual(step(scheduler), [{ sequence: quiet, count: 16 }]);
});

test("a tenant's weight and the length of its queue are what its last request says", () => {
  const { scheduler } = setUp({ maxRunning: 4, maxWaiting: 9, weights: new Map([['a', 5]]) }, 128);
  /** The tokens that each is served in so many steps, with both always waiting. */
  const served = (steps: number): number => {
    const got = new Map([...'ab'].map(tenant => [tenant, 0]));
    for (let i = 0; i < steps; i++) {
      for (const tenant of 'ab') while (scheduler.queued(tenant) < 2) scheduler.submit(sequence(tenant, 30));
      for (const { sequence: each, count } of step(scheduler)) {
        got.set(each.tenant, (got.get(each.tenant) ?? 0) + count);
        if (each.tokens.length - each.promptTokens >= 10) scheduler.remove(each, false);
      }
    }
    return (got.get('a') ?? 0) / (got.get('b') ?? 1);
  };
  served(100);
  const before = served(3000);
  assert.ok(before > 4 && before < 6, `${before}`);
  scheduler.setShare('a', { weight: 2, maxWaiting: 3 });
  served(500);
  const after = served(3000);
  assert.ok(after > 1.6 && after < 2.4, `${after}`);
  assert.ok(scheduler.canSubmit('a') && !scheduler.canSubmit('a', 1));
  scheduler.setShare('a', {});
  served(500);
  const equal = served(3000);
  assert.ok(equal > 0.8 && equal < 1.25, `${equal}`);
  assert.deepEqual(scheduler.shareOf('a'), { weight: 1, maxWaiting: 9 });
});

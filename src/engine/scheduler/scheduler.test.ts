import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Token } from '../../tokenizer/types.ts';
import { BlockPool } from '../cache/block-pool.ts';
import { PrefixCache } from '../cache/prefix-cache.ts';
import type { SequenceId } from '../request.ts';
import { createSequence, pending, type Sequence } from '../sequence.ts';
import { Scheduler } from './scheduler.ts';
import type { SchedulerOptions } from './scheduler-options.ts';

const roomy: SchedulerOptions = {
  maxRunning: 8,
  maxBatchedTokens: 64,
  prefillChunk: 32,
  maxOutputs: 8,
  maxWaiting: 20_000,
};

function setUp(options: Partial<SchedulerOptions> = {}, pages = 64) {
  const pool = new BlockPool(pages);
  const cache = new PrefixCache(pool);
  return { pool, cache, scheduler: new Scheduler({ ...roomy, ...options }, pool, cache) };
}

let ids = 0;

function sequence(tenant: string, length: number, priority = 0): Sequence {
  const id = ids++ as SequenceId;
  const prompt = Array.from({ length }, (_, i) => (id * 1000 + i) as Token);
  return createSequence({ id, tenant, priority, limit: 10_000, prompt });
}

/** One step of a model that always says 7; returns what ran. */
function step(scheduler: Scheduler): { sequence: Sequence; count: number }[] {
  const { work } = scheduler.plan();
  scheduler.commit(work);
  for (const { sequence: each } of work) {
    if (each.computed === each.tokens.length) scheduler.append(each, 7 as Token);
  }
  return work.map(({ sequence, count }) => ({ sequence, count }));
}

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

/** Counts of prompt tokens of each step, by whose they are, until the first has begun its answer. */
function race(scheduler: Scheduler, first: Sequence, second: Sequence): [number, number][] {
  const counts: [number, number][] = [];
  while (pending(first) > 1 || first.tokens.length === first.promptTokens) {
    const ran = step(scheduler);
    const of = (each: Sequence) => ran.find(({ sequence: other }) => other === each)?.count ?? 0;
    counts.push([of(first), of(second)]);
  }
  return counts;
}

test('pieces beside decoding are as long as the time allows, by where in the prompt they are', () => {
  const { scheduler } = setUp({ pieceTokens: position => (position < 40 ? 23 : 17) });
  scheduler.submit(sequence('a', 4));
  step(scheduler);
  const long = sequence('b', 1000);
  scheduler.submit(long);
  const counts = [1, 2, 3, 4].map(() => step(scheduler).find(({ sequence: each }) => each === long)!.count);
  assert.deepEqual(counts, [23, 23, 17, 17]);
});

test('many short prompts share the time of a piece', () => {
  const { scheduler } = setUp({ pieceTokens: () => 23 });
  scheduler.submit(sequence('a', 4));
  step(scheduler);
  for (let i = 0; i < 6; i++) scheduler.submit(sequence(`flood${i % 2}`, 10));
  const prompts = step(scheduler).slice(1);
  assert.deepEqual(
    prompts.map(({ count }) => count),
    [10, 10, 3],
  );
});

test('a tenant’s only, short prompt has larger pieces beside those that were served more', () => {
  const { scheduler } = setUp({ pieceTokens: (_, __, first) => (first ? 41 : 17) });
  scheduler.submit(sequence('a', 41));
  step(scheduler);
  const [newcomer, other] = [sequence('b', 30), sequence('c', 40)];
  for (const each of [newcomer, other]) scheduler.submit(each);
  const counts = () => step(scheduler).map(({ count }) => count);
  assert.deepEqual(counts(), [1, 30, 2]);
  assert.deepEqual(counts(), [1, 1, 32]);
  scheduler.submit(sequence('d', 1000));
  assert.deepEqual(counts(), [1, 1, 6, 10]);
  assert.deepEqual(counts(), [1, 1, 1, 15], 'a long one is cut as others are');
});

test('a higher priority goes between the pieces of its tenant’s long prompt', () => {
  const { scheduler } = setUp();
  const long = sequence('a', 600);
  scheduler.submit(long);
  step(scheduler);
  const urgent = sequence('a', 500, 1);
  scheduler.submit(urgent);
  assert.equal(race(scheduler, urgent, long).at(0)![0], 64);
  assert.ok(pending(long) > 500);
});

test('a short prompt goes between the pieces of its tenant’s long one', () => {
  const { scheduler } = setUp();
  const [long, queued] = [sequence('a', 600), sequence('a', 600)];
  for (const each of [long, queued]) scheduler.submit(each);
  step(scheduler);
  const short = sequence('a', 40);
  scheduler.submit(short);
  assert.deepEqual(race(scheduler, short, long), [[40, 24]]);
  // One of its own length waits.
  scheduler.submit(sequence('a', 500));
  assert.deepEqual(
    step(scheduler).map(({ sequence: each, count }) => [each, count]),
    [
      [short, 1],
      [long, 32],
    ],
  );
});

test('a long prompt gets every other token of its tenant’s prompts, less one step’s', () => {
  const { scheduler } = setUp({}, 128);
  const long = sequence('a', 1200);
  scheduler.submit(long);
  step(scheduler);
  let others = 0;
  while (pending(long) > 1) {
    scheduler.submit(sequence('a', 20));
    const own = long.computed;
    for (const { sequence: each, count } of step(scheduler)) {
      if (each === long || each.tokens.length - 1 > each.promptTokens) continue;
      if (each.computed > each.promptTokens) continue;
      others += count;
      if (each.computed === each.promptTokens) scheduler.remove(each, false);
    }
    assert.ok(long.computed >= own);
    assert.ok(others <= long.computed - 64 + 2 * 64, `${others} before ${long.computed}`);
  }
  assert.ok(others > 400, `only ${others} went before it`);
});

test('a short prompt of a tenant whose turn it is does not wait for the end of a longer one', () => {
  const { scheduler } = setUp();
  scheduler.submit(sequence('c', 60));
  step(scheduler);
  const [long, short] = [sequence('a', 140), sequence('b', 40)];
  scheduler.submit(long);
  step(scheduler);
  // Two steps from its end, but the other is short against it.
  scheduler.submit(short);
  assert.deepEqual(step(scheduler)[1], { sequence: short, count: 32 });
});

test('a long prompt’s step is preempted for another tenant’s short one', () => {
  const { scheduler } = setUp();
  scheduler.submit(sequence('a', 500));
  const { work } = scheduler.plan();
  const long = sequence('b', 400);
  scheduler.submit(long);
  assert.ok(!scheduler.shouldPreempt(work));
  scheduler.remove(long, false);
  scheduler.submit(sequence('b', 40));
  assert.ok(scheduler.shouldPreempt(work));
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

/** How long the pieces of prompts are, and whose goes first. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pending, type Sequence } from '../sequence.ts';
import type { Scheduler } from './scheduler.ts';
import { sequence, setUp, step } from './testing/steps.ts';

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

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BlockId } from './block-pool.ts';
import type { CachedPage } from './cached-page.ts';
import { Snapshots } from './snapshots.ts';
import { type SlotId, StateSlots } from './state-slots.ts';

const page = (holder: string): CachedPage => ({
  ...{ key: '', block: 0 as BlockId, tokens: [], previous: '', holder, users: 0 },
});
const source = 99 as SlotId;

function keptOf(pages: readonly CachedPage[]): number[] {
  return pages.flatMap(({ state }, i) => (state === undefined ? [] : [i]));
}

test('who has most states gives way, with the one that was of use longest ago', () => {
  const snapshots = new Snapshots(new StateSlots(4));
  const mine = Array.from({ length: 6 }, () => page('mine'));
  const other = page('other');
  snapshots.keep(other, source);
  for (const each of mine.slice(0, 3)) snapshots.keep(each, source);
  snapshots.touch(mine[0]!);
  for (const each of mine.slice(3)) snapshots.keep(each, source);
  assert.notEqual(other.state, undefined, 'a tenant of many prompts flushes nobody');
  assert.deepEqual(keptOf(mine), [3, 4, 5]);
  const theirs = [page('other'), page('other')];
  for (const each of theirs) snapshots.keep(each, source);
  assert.deepEqual([keptOf(mine).length, keptOf([other, ...theirs]).length], [2, 2]);
});

test('whoever runs gets two slots, its own page’s state last', () => {
  const slots = new StateSlots(3);
  const snapshots = new Snapshots(slots);
  const [own, other] = [page('a'), page('a')];
  snapshots.keep(own, source);
  snapshots.keep(other, source);
  slots.takeCopies();
  const state = own.state!;
  const { current, next } = snapshots.slotsFor(own, undefined);
  assert.notEqual(current, next);
  assert.equal(other.state, undefined);
  assert.equal(own.state, state, 'it need not go');
  assert.deepEqual([...slots.takeCopies()], [state, current]);
  slots.release(current);
  slots.release(next);
  slots.allocate();
  const two = snapshots.slotsFor(own, undefined);
  assert.equal(own.state, undefined);
  assert.ok(two.current === state || two.next === state);
});

test('a sequence that ends leaves its slot with the state in it', () => {
  const slots = new StateSlots(2);
  const snapshots = new Snapshots(slots);
  const last = page('a');
  const { current } = snapshots.slotsFor(undefined, undefined);
  assert.ok(snapshots.leave(last, current));
  assert.equal(last.state, current);
  assert.ok(!snapshots.leave(last, source), 'one is enough');
  assert.deepEqual([...slots.takeCopies()], []);
});

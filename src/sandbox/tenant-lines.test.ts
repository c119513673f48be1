import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TenantLines } from './tenant-lines.ts';

const waiter = (tenant: string, runs = 16) => ({ tenant, runs, take: () => {}, refuse: () => {} });

function turns(lines: TenantLines<unknown>): string {
  const order: string[] = [];
  while (lines.hasNext) order.push(lines.take().tenant);
  return order.join('');
}

test('whoever has fewest runs goes next, and nobody beyond what it may have', () => {
  const lines = new TenantLines();
  for (let i = 0; i < 4; i++) lines.add(waiter('a', 3));
  lines.add(waiter('b'));
  lines.add(waiter('b'));
  assert.equal(turns(lines), 'ababa');
  assert.deepEqual([lines.running, lines.waiting], [5, 1]);
  lines.ended('a');
  assert.equal(turns(lines), 'a');
});

test('whoever leaves waits no longer, and nothing is kept of who has nothing', () => {
  const lines = new TenantLines();
  const [one, two] = [waiter('a'), waiter('a')];
  lines.add(one);
  lines.add(two);
  lines.remove(one);
  lines.remove(one);
  assert.equal(lines.take(), two);
  lines.ended('a');
  lines.ended('a');
  assert.deepEqual([lines.running, lines.waiting, lines.hasNext], [0, 0, false]);
  lines.add(one);
  assert.deepEqual(lines.clear(), [one]);
  assert.equal(lines.hasNext, false);
});

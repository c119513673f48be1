import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ago, bytes, compact, count, milliseconds, percent, perSecond, time } from './format.ts';

it('writes numbers and times', () => {
  assert.deepEqual(
    [count(1234567), compact(12_300), percent(0.256), perSecond(3)],
    ['1,234,567', '12.3K', '26 %', '3.0/s'],
  );
  assert.deepEqual([bytes(0), bytes(999), bytes(98_000_000)], ['0 B', '999 B', '98.0 MB']);
  assert.deepEqual([milliseconds(3.2), milliseconds(12_345)], ['3 ms', '12.3 s']);
  const now = Date.parse('2026-01-02T00:00:00Z');
  assert.equal(ago('2026-01-01T23:58:30Z', now), '1 min ago');
  assert.equal(ago('2026-01-05T00:00:00Z', now), 'in 3 d');
  assert.equal(time('2026-01-02T03:04:05.678Z'), '2026-01-02 03:04:05');
});

it('writes a dash for what is not known', () => {
  for (const write of [count, compact, percent, perSecond, bytes, milliseconds]) assert.equal(write(null), '–');
  assert.equal(ago(null), '–');
  assert.equal(time(undefined), '–');
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { QUERIES_PER_SECOND, QUERY_BURST } from './limits.ts';
import { QueryPace } from './query-pace.ts';

test('a burst of queries is answered at once, then so many a second, of each tenant', () => {
  const pace = new QueryPace();
  const now = 1e6;
  for (let i = 0; i < QUERY_BURST; i++) assert.equal(pace.delayMs('a', now), 0);
  for (let i = 1; i <= 10; i++) assert.ok(Math.abs(pace.delayMs('a', now) - (i * 1000) / QUERIES_PER_SECOND) < 0.001);
  assert.equal(pace.delayMs('b', now), 0);
  assert.equal(pace.delayMs('a', now + 20_000), 0);
});

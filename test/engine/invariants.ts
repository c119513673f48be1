import assert from 'node:assert/strict';
import { pageTokens } from '../../src/backend/backend.ts';
import type { EngineLoop } from '../../src/engine/loop.ts';
import { pagesFor } from '../../src/engine/sequence.ts';

/** What must hold between steps: every page is accounted for, and no tenant's page is another's. */
export function checkBooks(
  { pool, cache, scheduler, slots }: EngineLoop,
  limits: { maxWaiting: number; maxRunning: number; cacheQuota?: number },
): void {
  const references = new Int32Array(pool.total);
  const owners = new Map<number, string>();
  const hold = (tenant: string, block: number): void => {
    references[block]! += 1;
    assert.equal(owners.get(block) ?? tenant, tenant, `page ${block} belongs to two tenants`);
    owners.set(block, tenant);
  };
  const users = new Map<unknown, number>();

  for (const sequence of scheduler.running) {
    assert.equal(sequence.state, 'running');
    assert.ok(sequence.computed < sequence.tokens.length, 'nothing left to compute');
    assert.ok(sequence.pages.length >= pagesFor(sequence.computed), 'a page is missing');
    assert.ok(sequence.pages.length <= pagesFor(sequence.tokens.length), 'a page too many');
    assert.equal(sequence.cached.length, Math.floor(sequence.computed / pageTokens));
    if (slots.total > 0) assert.equal(sequence.slots?.tokens, sequence.computed, 'a state behind other tokens');
    for (const block of sequence.pages) hold(sequence.tenant, block);
    for (const [i, page] of sequence.cached.entries()) {
      assert.equal(page.block, sequence.pages[i]);
      assert.deepEqual(page.tokens, sequence.tokens.slice(i * pageTokens, (i + 1) * pageTokens));
      users.set(page, (users.get(page) ?? 0) + 1);
    }
  }
  const idle = new Map<string, number>();
  for (const { tenant, page } of cache.pages()) {
    hold(tenant, page.block);
    assert.equal(page.users, users.get(page) ?? 0);
    users.delete(page);
    if (page.users === 0) idle.set(tenant, (idle.get(tenant) ?? 0) + 1);
  }
  assert.equal(users.size, 0, 'a sequence uses a page that the cache does not know');
  for (const [tenant, count] of idle) {
    assert.equal(cache.idle(tenant), count);
    assert.ok(count <= pool.total * (limits.cacheQuota ?? 1 / 2), 'above the quota');
  }

  const held = [
    ...[...scheduler.running].flatMap(({ slots }) => (slots ? [slots.current, slots.next] : [undefined])),
    ...[...cache.pages()].flatMap(({ page }) => (page.state === undefined ? [] : [page.state])),
  ];
  if (slots.total > 0) {
    assert.ok(held.every(slot => slot !== undefined));
    assert.equal(new Set(held).size, held.length, 'a slot has two holders');
    assert.equal(slots.free, slots.total - held.length, 'a slot leaked');
  }

  for (let block = 0; block < pool.total; block++) assert.equal(pool.references(block as never), references[block]);
  assert.equal(pool.used, owners.size, 'a page leaked');
  assert.ok(scheduler.running.size <= limits.maxRunning);
  for (const tenant of ['t0', 't1', 't2']) {
    assert.ok(scheduler.queued(tenant) <= limits.maxWaiting + limits.maxRunning, 'the queue is not bounded');
  }
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Token } from '../../tokenizer/types.ts';
import type { SequenceId } from '../request.ts';
import { createSequence, pagesFor, type Sequence } from '../sequence.ts';
import { BlockPool } from './block-pool.ts';
import { PrefixCache, type PrefixCacheOptions } from './prefix-cache.ts';

const prompt = (kind: number, length: number): Token[] => Array.from({ length }, (_, i) => (kind * 1000 + i) as Token);

class Bench {
  readonly pool: BlockPool;
  readonly cache: PrefixCache;

  constructor(pages: number, options?: PrefixCacheOptions) {
    this.pool = new BlockPool(pages);
    this.cache = new PrefixCache(this.pool, options);
  }

  /** A sequence that has taken what the cache has for it and computed the rest. */
  run(tenant: string, tokens: readonly Token[], keepsTail = false): Sequence & { hit: number } {
    const sequence = createSequence({
      id: 0 as SequenceId,
      tenant,
      priority: 0,
      limit: 1000,
      prompt: tokens,
      keepsTail,
    });
    this.cache.acquire(sequence);
    const hit = this.cache.begun(sequence)?.computed ?? sequence.computed;
    sequence.pages.push(...this.pool.allocate(pagesFor(tokens.length) - sequence.pages.length));
    sequence.computed = tokens.length;
    this.cache.register(sequence);
    return Object.assign(sequence, { hit });
  }

  once(tenant: string, tokens: readonly Token[], keep = true): number {
    const sequence = this.run(tenant, tokens);
    this.cache.release(sequence, keep);
    return sequence.hit;
  }
}

test('full pages are found again, but the last token is always computed', () => {
  const bench = new Bench(20);
  assert.equal(bench.once('a', prompt(1, 100)), 0);
  assert.equal(bench.once('a', prompt(1, 100)), 96);
  assert.equal(bench.once('a', prompt(1, 96)), 64);
  assert.equal(bench.once('a', prompt(1, 97)), 96);
  assert.equal(bench.once('a', [...prompt(1, 64), ...prompt(2, 40)]), 64);
  assert.equal(bench.once('a', prompt(1, 20)), 0);
});

test('the same tokens after another prefix are another page', () => {
  const bench = new Bench(20);
  bench.once('a', [...prompt(1, 32), ...prompt(3, 33)]);
  assert.equal(bench.once('a', [...prompt(2, 32), ...prompt(3, 33)]), 0);
});

test('no tenant hits, or even shares a key with, another', () => {
  const bench = new Bench(20);
  bench.once('a', prompt(1, 100));
  assert.equal(bench.once('b', prompt(1, 100)), 0);
  const keys = [...bench.cache.pages()].map(({ page }) => page.key);
  assert.equal(new Set(keys).size, 6);
});

test('two that compute the same page at once end up with one copy', () => {
  const bench = new Bench(20);
  const [first, second] = [bench.run('a', prompt(1, 70)), bench.run('a', prompt(1, 70))];
  assert.deepEqual(second.pages.slice(0, 2), first.pages.slice(0, 2));
  assert.equal(bench.pool.used, 4);
});

test('what is released without keeping is gone, except for what others still use', () => {
  const bench = new Bench(20);
  const other = bench.run('a', prompt(1, 40));
  assert.equal(bench.once('a', prompt(1, 100), false), 32);
  assert.equal(bench.pool.used, 2);
  assert.equal(bench.once('a', prompt(1, 100), false), 32);
  bench.cache.release(other, false);
  assert.equal(bench.pool.used, 0);
});

test('a tenant keeps no more than its quota: the oldest ends go first', () => {
  const bench = new Bench(16, { quota: 1 / 4 });
  bench.once('a', prompt(1, 129));
  assert.equal(bench.cache.idle('a'), 4);
  bench.once('a', prompt(2, 65));
  assert.equal(bench.cache.idle('a'), 4);
  assert.equal(bench.once('a', prompt(1, 129)), 64, 'the beginning of the first prompt is still there');
});

test('a neighbour that needs all the memory takes what is above the floor, and no more', () => {
  const bench = new Bench(16, { quota: 1, floor: 1 / 2 });
  bench.once('quiet', prompt(1, 129));
  bench.once('flooder', prompt(2, 129));
  // Two holders: each one's floor is 4 of 16 pages, and 8 are free.
  assert.ok(!bench.cache.makeRoom('flooder', 16, false), 'the floor holds');
  assert.equal(bench.cache.idle('flooder'), 4, 'nothing is dropped in vain');
  assert.ok(bench.cache.makeRoom('flooder', 12, false), 'its own floor does not hold against itself');
  assert.equal(bench.cache.idle('quiet'), 4);
  assert.equal(bench.cache.idle('flooder'), 0);
  assert.ok(bench.cache.makeRoom('flooder', 16, true), 'a last resort takes everything');
  assert.equal(bench.pool.used, 0);
});

test('a tail is found as far as it agrees, and a longer one takes its place', () => {
  const bench = new Bench(20);
  const tail = (tokens: readonly Token[]): number => {
    const sequence = bench.run('a', tokens, true);
    bench.cache.release(sequence, true);
    return sequence.hit;
  };
  assert.equal(tail(prompt(1, 40)), 0);
  assert.equal(bench.cache.idle('a'), 2);
  assert.equal(tail([...prompt(1, 37), ...prompt(2, 3)]), 37);
  assert.equal(bench.cache.idle('a'), 3, 'neither says all of the other');
  assert.equal(tail(prompt(1, 50)), 40);
  assert.equal(bench.cache.idle('a'), 3, 'the longer one says it too');
  assert.equal(tail(prompt(1, 45)), 44);
  assert.equal(bench.cache.idle('a'), 3, 'the shorter one is there already');
  assert.equal(tail(prompt(1, 64)), 50);
  assert.equal(bench.cache.idle('a'), 3, 'a full page has taken its place');
  assert.equal(tail(prompt(1, 60)), 59);
  assert.equal(bench.once('b', prompt(1, 64)), 0);
  assert.equal(bench.pool.used, 5, 'three of a, two of b');
});

test('the pages of a text are found among many that begin alike', () => {
  const bench = new Bench(100, { quota: 1 });
  const texts = Array.from({ length: 40 }, (_, i) => [...prompt(1, 31), i as Token, ...prompt(2, 9)]);
  for (const each of texts) assert.equal(bench.once('a', each), 0);
  for (const each of texts) assert.equal(bench.once('a', each), 32);
});

test('tails go before the pages that they build on, and a tenant that has none is forgotten', () => {
  const bench = new Bench(16, { quota: 1 / 4, floor: 0 });
  bench.cache.release(bench.run('a', prompt(1, 140), true), true);
  assert.equal(bench.cache.idle('a'), 4);
  assert.equal(bench.once('a', prompt(1, 140)), 128, 'its tail went, and none of its pages');
  assert.ok(bench.cache.makeRoom('b', 16, true));
  assert.equal([...bench.cache.pages()].length, 0);
  bench.cache.release(bench.run('a', prompt(1, 10), true), true);
  bench.cache.release(bench.run('a', prompt(1, 11), true), true);
  assert.equal(bench.cache.idle('a'), 1);
  assert.equal(bench.pool.used, 1);
});

test('keys stay the same for a sequence that outlives its tenant’s pages', () => {
  const bench = new Bench(4, { quota: 1 });
  const sequence = bench.run('a', prompt(1, 40));
  bench.cache.release(sequence, true);
  assert.ok(bench.cache.makeRoom('b', 4, true));
  sequence.pages.push(...bench.pool.allocate(2));
  sequence.computed = 40;
  bench.cache.register(sequence);
  assert.equal(bench.run('a', prompt(1, 40)).hit, 32);
});

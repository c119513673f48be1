import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type CacheNeeds, defaultKvTokens, defaultStateSlots } from './cache-size.ts';

const mib = 2 ** 20;
const gib = 2 ** 30;
/** A token takes 12 KiB, as in a model of half a billion weights. */
const needs: CacheNeeds = { trainedContext: 32_768, pageBytes: 32 * 12_288, weights: 0.5 * gib, memory: 16 * gib };

test('a context is what the model was trained for, and the cache holds several as far as a gibibyte reaches', () => {
  assert.equal(defaultKvTokens({}, { ...needs, trainedContext: 8192 }), 4 * 8192);
  assert.equal(defaultKvTokens({}, needs), Math.floor(gib / needs.pageBytes) * 32);
  assert.equal(defaultKvTokens({}, { ...needs, trainedContext: 131_072 }), 131_072, 'one that takes more than that');
});

test('a context ends where the memory does: half of what the weights leave', () => {
  const tight = { ...needs, memory: 0.5 * gib + 240 * mib };
  assert.equal(defaultKvTokens({}, tight), 10_240);
  assert.equal(defaultKvTokens({ context: 20_000 }, tight), 20_000, 'but whoever asks for more gets it');
});

test('an agent of little memory has a context all the same', () => {
  for (const memory of [0, needs.weights, needs.weights + mib])
    assert.equal(defaultKvTokens({}, { ...needs, memory }), 4096);
  assert.equal(defaultKvTokens({}, { ...needs, memory: 0, trainedContext: 512 }), 512);
});

test('where nobody knows the memory a context takes no more than a gibibyte', () => {
  const wide = { ...needs, trainedContext: 1_000_000, memory: undefined };
  assert.equal(defaultKvTokens({}, wide), Math.floor(gib / needs.pageBytes) * 32);
});

test('states: two for each that runs and one that is kept, as far as the memory reaches', () => {
  const slotBytes = 19 * mib;
  const { weights, memory } = needs;
  assert.equal(defaultStateSlots(16, { slotBytes, weights, memory }), 48);
  assert.equal(defaultStateSlots(16, { slotBytes: 0, weights, memory }), 0, 'where no layer keeps one');
  const tight = { slotBytes, weights, memory: weights + 4 * 100 * mib };
  assert.equal(defaultStateSlots(16, tight), 5);
  const none = { slotBytes, weights, memory: weights + 4 * 30 * mib };
  const refused = { code: 'out_of_memory', message: /takes 39845888 bytes, and there is room for 31457280/ };
  assert.throws(() => defaultStateSlots(16, none), refused);
});

test('whole pages, and never less than the context that is asked for', () => {
  const number = (max: number) => fc.integer({ min: 64, max });
  fc.assert(
    fc.property(
      number(2 ** 20),
      number(2 ** 20),
      number(2 ** 22),
      fc.nat(2 ** 36),
      (context, trainedContext, pageBytes, memory) => {
        const tokens = defaultKvTokens({ context }, { trainedContext, pageBytes, weights: gib, memory });
        assert.equal(tokens % 32, 0);
        assert.ok(tokens >= Math.min(context, trainedContext));
      },
    ),
  );
});

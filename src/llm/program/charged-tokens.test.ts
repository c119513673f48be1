import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { ChargedTokens } from './charged-tokens.ts';

const used = (completionTokens: number, cachedTokens = 0) => ({ promptTokens: 0, cachedTokens, completionTokens });
const list = (...tokens: number[]) => Uint32Array.from(tokens);
const prompt = Uint32Array.from({ length: 512 }, (_, i) => i);

test('eight answers to one prompt pay for it once', async () => {
  const charged = new ChargedTokens();
  const claims = [];
  for (let i = 0; i < 8; i++) {
    const claim = await charged.claim('a', prompt);
    claim.granted();
    claims.push(claim);
  }
  assert.deepEqual(
    claims.map(claim => claim.of(used(3, 512)).promptTokens),
    [512, 0, 0, 0, 0, 0, 0, 0],
  );
  assert.deepEqual(
    claims.map(claim => claim.end()),
    claims.map(() => undefined),
  );
});

test('an answer is paid for; what is new behind it is not', async () => {
  const charged = new ChargedTokens();
  const first = await charged.claim('a', list(1, 2, 3));
  first.granted();
  first.of(used(2));
  charged.add('a', list(1, 2, 3, 4, 5));
  const next = await charged.claim('a', list(1, 2, 3, 4, 5, 6));
  assert.equal(next.promptTokens, 1);
  next.end();
  assert.equal((await charged.claim('a', list(1, 2, 3, 9))).promptTokens, 1);
  assert.equal((await charged.claim('b', list(1, 2, 3))).promptTokens, 3, 'another model');
  assert.equal(charged.paid('a', list(1, 2, 3, 4, 7)), 4);
  assert.equal((await charged.claim('a', list(1, 2, 3), 1)).promptTokens, 1, 'the least');
});

test('cached tokens are those behind the paid ones', async () => {
  const charged = new ChargedTokens();
  charged.add('a', list(1, 2, 3, 4));
  const claim = await charged.claim('a', list(1, 2, 3, 4, 5, 6));
  claim.granted();
  assert.deepEqual(claim.of(used(1, 5)), { promptTokens: 2, cachedTokens: 1, completionTokens: 1 });
  assert.deepEqual(claim.of(used(1, 3)), { promptTokens: 2, cachedTokens: 0, completionTokens: 1 });
});

test('whoever begins alike waits until the meter has let the first in', async () => {
  const charged = new ChargedTokens();
  const refused = await charged.claim('a', prompt);
  let second: Awaited<ReturnType<ChargedTokens['claim']>> | undefined;
  const waiting = charged.claim('a', prompt).then(claim => {
    second = claim;
  });
  await new Promise(setImmediate);
  assert.equal(second, undefined);
  assert.equal(refused.end(), undefined);
  await waiting;
  assert.equal(second!.promptTokens, 512, 'nobody else pays for it now');
});

test('a call that fails pays for what others were let in on, and for that alone', async () => {
  const charged = new ChargedTokens();
  const first = await charged.claim('a', list(1, 2, 3, 4));
  first.granted();
  const second = await charged.claim('a', list(1, 2, 7));
  assert.equal(second.promptTokens, 1);
  second.granted();
  assert.deepEqual(first.end(), { promptTokens: 2, cachedTokens: 0, completionTokens: 0 });
  assert.equal(first.end(), undefined, 'once');
  assert.equal((await charged.claim('a', list(1, 2, 3, 4))).promptTokens, 2);
});

test('whatever the order, every token of every prefix is paid for once', async () => {
  const sequences = fc.array(fc.array(fc.nat(2), { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(
      sequences,
      fc.infiniteStream(fc.constantFrom('use', 'fail', 'refuse', 'add')),
      async (all, fates) => {
        const charged = new ChargedTokens();
        const prefixes = new Set<string>();
        const paidFor = (tokens: readonly number[]) => {
          for (let i = 1; i <= tokens.length; i++) prefixes.add(tokens.slice(0, i).join());
        };
        let [paid, free] = [0, 0];
        for (const tokens of all) {
          const fate = fates.next().value;
          if (fate === 'add') {
            free += tokens.length - charged.paid('a', Uint32Array.from(tokens));
            charged.add('a', tokens);
            paidFor(tokens);
            continue;
          }
          const claim = await charged.claim('a', Uint32Array.from(tokens));
          if (fate !== 'refuse') claim.granted();
          if (fate === 'use') {
            paid += claim.of(used(1)).promptTokens;
            paidFor(tokens);
          }
          paid += claim.end()?.promptTokens ?? 0;
        }
        assert.equal(paid + free, prefixes.size);
      },
    ),
  );
});

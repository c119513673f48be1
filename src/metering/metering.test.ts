import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { amountOf, type Budget, budgetId, mostOf, tokensWithin, wholeLimit } from './budgets.ts';
import { Periods, periodAt } from './periods.ts';
import { costOf, tariffOf, tokensFor } from './prices.ts';

const tokens = fc.integer({ min: 0, max: 1_000_000 });
const money = fc.double({ min: 0, max: 1e6, noNaN: true });
const prices = fc.record({ input: money, cached: fc.option(money, { nil: undefined }), output: money });

test('no call costs more than the most that it can cost, and costs are whole', () => {
  fc.assert(
    fc.property(prices, tokens, tokens, fc.nat(), fc.nat(), (price, promptTokens, maxTokens, cached, out) => {
      const tariff = tariffOf(price);
      const cachedTokens = cached % (promptTokens + 1);
      const completionTokens = out % (maxTokens + 1);
      const cost = costOf(tariff, { promptTokens, cachedTokens, completionTokens });
      const wish = { promptTokens, maxTokens, tariff, first: true, firstOfModel: true };
      const most = mostOf({ unit: 'money', limit: 1, period: 'day' }, wish);
      assert.ok(cost <= most, `${cost} of ${most}`);
      if (Number.isSafeInteger(most)) assert.ok(Number.isSafeInteger(cost));
    }),
  );
});

test('tokens for what is left cost no more, and one more would', () => {
  const cheap = fc.record({
    input: fc.double({ min: 0, max: 100, noNaN: true }),
    output: fc.double({ min: 0.001, max: 100, noNaN: true }),
  });
  fc.assert(
    fc.property(cheap, fc.nat(10_000), fc.nat(1e9), (price, promptTokens, left) => {
      const tariff = tariffOf(price);
      const wish = (maxTokens: number) => ({ promptTokens, maxTokens, tariff, first: true, firstOfModel: true });
      const budget: Budget = { unit: 'money', limit: 1, period: 'day' };
      const most = tokensFor(tariff, promptTokens, left);
      assert.equal(tokensWithin(budget, wish(1), left), most);
      if (most >= 0) assert.ok(mostOf(budget, wish(most)) <= left);
      assert.ok(mostOf(budget, wish(Math.max(0, most + 1))) > left);
    }),
  );
});

test('a token may cost less than a billionth, and a part of one is a whole one', () => {
  const tariff = tariffOf({ input: 0.0001, output: 0.0001 });
  const cost = (promptTokens: number) => costOf(tariff, { promptTokens, cachedTokens: 0, completionTokens: 0 });
  assert.deepEqual([cost(0), cost(1), cost(10), cost(11)], [0, 1, 1, 2]);
});

test('periods are those of UTC', () => {
  const last = Date.UTC(2026, 11, 31, 23, 59, 59, 999);
  assert.deepEqual(periodAt('day', last), {
    name: 'day',
    id: '2026-12-31',
    from: Date.UTC(2026, 11, 31),
    to: last + 1,
  });
  assert.deepEqual(periodAt('month', last), { name: 'month', id: '2026-12', from: Date.UTC(2026, 11), to: last + 1 });
  assert.equal(periodAt('month', last + 1).id, '2027-01');
  const periods = new Periods();
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4e12 }), ms => {
      for (const name of ['day', 'month', 'total'] as const) assert.deepEqual(periods.at(ms)[name], periodAt(name, ms));
    }),
  );
});

test('budgets count what their name says', () => {
  const day = periodAt('day', Date.UTC(2026, 10, 26));
  const row = { requests: 1, model_requests: 0, input_tokens: 5, output_tokens: 7, cost: 9 };
  const amount = (budget: Partial<Budget>) =>
    amountOf(budgetId({ unit: 'tokens', limit: 1, period: 'day', ...budget }, 'acme', day), row);
  assert.deepEqual(
    [amount({}), amount({ unit: 'requests' }), amount({ unit: 'requests', model: 'a:b/c' }), amount({ unit: 'money' })],
    [12, 1, 0, 9],
  );
  assert.equal(
    budgetId({ unit: 'tokens', limit: 1, period: 'day', model: 'a:b' }, 'acme', day),
    'tokens:2026-11-26:acme::a:b',
  );
  assert.equal(wholeLimit({ unit: 'money', limit: 1.5, period: 'day' }), 1_500_000_000);
  assert.equal(wholeLimit({ unit: 'tokens', limit: 10.9, period: 'day' }), 10);
});

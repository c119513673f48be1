import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PromptCosts } from './prompt-costs.ts';

test('the first measurement stands for what was assumed, and for positions that were not met', () => {
  const costs = new PromptCosts();
  assert.ok(costs.price(0) > 0);
  costs.measured([{ position: 0, count: 100 }], 50);
  assert.equal(costs.price(0), 0.5);
  assert.equal(costs.price(100_000), 0.5);
});

test('later positions have prices of their own', () => {
  const costs = new PromptCosts();
  for (let i = 0; i < 40; i++) {
    costs.measured([{ position: 0, count: 100 }], 100);
    costs.measured([{ position: 4000, count: 100 }], 400);
  }
  assert.ok(Math.abs(costs.price(0) - 1) < 0.01);
  assert.ok(Math.abs(costs.price(4000) - 4) < 0.01);
});

test('a step that took absurdly long changes little, and is forgotten', () => {
  const costs = new PromptCosts();
  costs.measured([{ position: 0, count: 100 }], 100);
  costs.measured([{ position: 0, count: 100 }], 100_000);
  assert.ok(costs.price(0) <= 1.25);
  for (let i = 0; i < 20; i++) costs.measured([{ position: 0, count: 100 }], 100);
  assert.ok(Math.abs(costs.price(0) - 1) < 0.01);
});

test('prices are positive numbers, whatever the clock says', () => {
  const piece = fc.record({ position: fc.nat(200_000), count: fc.integer({ min: 1, max: 512 }) });
  const step = fc.tuple(fc.array(piece, { maxLength: 4 }), fc.double({ min: -10, max: 1e5, noNaN: true }));
  fc.assert(
    fc.property(fc.array(step), fc.nat(200_000), (steps, position) => {
      const costs = new PromptCosts();
      for (const [pieces, ms] of steps) costs.measured(pieces, ms);
      const price = costs.price(position);
      assert.ok(price > 0 && Number.isFinite(price));
    }),
  );
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Account, Fairness, prices } from './fairness.ts';

const account = (tenant: string, weight = 1): Account => ({
  tenant,
  weight,
  served: 0,
  since: 0,
  running: new Set(),
});

test('who has been served least is next, by weight and price', () => {
  const fairness = new Fairness();
  const [light, heavy] = [account('light'), account('heavy', 3)];
  fairness.join(light);
  fairness.join(heavy);
  const turns = { light: 0, heavy: 0 };
  for (let i = 0; i < 400; i++) {
    const next = fairness.next()!;
    turns[next.tenant as 'light']++;
    fairness.charge(next, 10, prices.output);
  }
  assert.deepEqual(turns, { light: 100, heavy: 300 });
});

test('who comes back is lifted to the least of those that wait: absence earns nothing', () => {
  const fairness = new Fairness();
  const [busy, absent] = [account('busy'), account('absent')];
  fairness.join(busy);
  fairness.charge(busy, 1000, prices.input);
  fairness.join(absent);
  assert.equal(absent.served, 1000);
});

test('who comes to an empty queue is lifted to whoever left it last', () => {
  const fairness = new Fairness();
  const [first, second] = [account('first'), account('second')];
  fairness.join(first);
  fairness.charge(first, 500, prices.input);
  fairness.leave(first);
  fairness.join(second);
  assert.equal(second.served, 500);
});

test('who has been served more keeps the debt when it comes back', () => {
  const fairness = new Fairness();
  const [a, b] = [account('a'), account('b')];
  fairness.join(a);
  fairness.join(b);
  fairness.charge(a, 100, prices.input);
  fairness.leave(a);
  fairness.join(a);
  assert.equal(a.served, 100);
  assert.equal(fairness.next(), b);
});

test('among equals, who has fewer running goes first', () => {
  const fairness = new Fairness();
  const [flooder, quiet] = [{ ...account('flooder'), running: new Set([1, 2, 3]) }, account('quiet')];
  fairness.join(flooder);
  fairness.join(quiet);
  assert.equal(fairness.next(), quiet);
});

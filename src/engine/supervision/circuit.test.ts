import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { CircuitState } from '../types.ts';
import { type Attempt, Circuit, type Verdict } from './circuit.ts';

function setUp(t: TestContext) {
  t.mock.timers.enable({ apis: ['Date'] });
  const states: CircuitState[] = [];
  const circuit = new Circuit({ onChange: state => states.push(state) });
  const ask = (verdict: Verdict) => circuit.run(async () => ({ verdict, value: 'said' }));
  return { circuit, states, ask };
}

test('three failures in a row open it; an answer between them does not', async t => {
  const { circuit, ask } = setUp(t);
  for (const outcome of ['failed', 'failed', 'works', 'failed', 'nothing', 'failed'] as const)
    assert.equal(await ask(outcome), 'said');
  assert.equal(circuit.state, 'closed');
  await ask('failed');
  assert.equal(circuit.state, 'open');
  await assert.rejects(ask('works'), { code: 'engine_unavailable', retryAfter: 10 });
  t.mock.timers.tick(9_000);
  await assert.rejects(ask('works'), { code: 'engine_unavailable', retryAfter: 1 });
});

test('after its time one request is let through, and decides', async t => {
  const { circuit, states, ask } = setUp(t);
  for (let i = 0; i < 3; i++) await ask('failed');
  t.mock.timers.tick(10_000);
  // Nobody would come if it still said open.
  assert.equal(circuit.state, 'half-open');
  const probe = Promise.withResolvers<Attempt<number>>();
  const trying = circuit.run(() => probe.promise);
  await assert.rejects(ask('works'), { code: 'engine_unavailable', retryAfter: 1 });
  probe.resolve({ verdict: 'failed', value: 1 });
  assert.equal(await trying, 1);
  assert.equal(circuit.state, 'open');
  t.mock.timers.tick(10_000);
  await ask('works');
  assert.equal(circuit.state, 'closed');
  assert.deepEqual(states, ['open', 'half-open', 'open', 'half-open', 'closed']);
});

test('a death counts once, whatever it takes along; the request that tries counts for itself', async t => {
  const { circuit, ask } = setUp(t);
  circuit.fail();
  await Promise.all(Array.from({ length: 20 }, () => ask('died')));
  assert.equal(circuit.state, 'closed');
  for (const _ of [2, 3]) circuit.fail();
  await null;
  await new Promise(setImmediate);
  assert.equal(circuit.state, 'open');
  t.mock.timers.tick(10_000);
  await ask('died');
  assert.equal(circuit.state, 'open');
});

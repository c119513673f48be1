import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simulate } from './simulation.ts';

/** SEED=n replays one; SEEDS=n runs that many, of which 10,000 are many. */
const only = process.env.SEED;
const seeds = Number(process.env.SEEDS ?? 2_500);

test(only ? `simulation of seed ${only}` : `simulations of ${seeds} seeds`, async () => {
  const total = {
    steps: 0,
    preemptions: 0,
    cachedTokens: 0,
    forked: 0,
    preemptedSteps: 0,
    acceptedTokens: 0,
    constrained: 0,
    overtakingTokens: 0,
    continued: 0,
    inTails: 0,
    ended: {} as Record<string, number>,
  };
  const [first, last] = only ? [Number(only), Number(only) + 1] : [0, seeds];
  for (let seed = first; seed < last; seed++) {
    const tally = await simulate(seed).catch(cause => {
      throw new Error(`replay with SEED=${seed}: ${cause.message}`, { cause });
    });
    total.steps += tally.steps;
    total.preemptions += tally.preemptions;
    total.cachedTokens += tally.cachedTokens;
    total.forked += tally.forked;
    total.preemptedSteps += tally.preemptedSteps;
    total.acceptedTokens += tally.acceptedTokens;
    total.constrained += tally.constrained;
    total.overtakingTokens += tally.overtakingTokens;
    total.continued += tally.continued;
    total.inTails += tally.inTails;
    for (const [how, count] of Object.entries(tally.ended)) total.ended[how] = (total.ended[how] ?? 0) + count;
  }
  console.log(JSON.stringify(total));
  if (only) return;
  // A simulation that never meets something proves nothing about it.
  assert.ok(total.preemptions > seeds / 10);
  assert.ok(total.cachedTokens > seeds);
  assert.ok(total.forked > seeds / 10);
  assert.ok(total.preemptedSteps > seeds / 10);
  assert.ok(total.acceptedTokens > seeds / 10);
  assert.ok(total.constrained > seeds / 10);
  assert.ok(total.overtakingTokens > seeds / 10);
  assert.ok(total.continued > seeds / 10);
  assert.ok(total.inTails > seeds / 10);
  const met = ['stop', 'length', 'cancelled', 'embedded', 'engine_failed', 'queue_full', 'context_length_exceeded'];
  for (const how of [...met, 'adapter_not_found']) {
    const times = total.ended[how] ?? 0;
    assert.ok(times > seeds / 100, `${how}: ${times}`);
  }
});

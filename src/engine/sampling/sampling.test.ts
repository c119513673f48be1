import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { unsampled } from '../../backend/backend.ts';
import { Sampler } from '../../backend/sampling/sampler.ts';
import { ranges } from '../../ranges.ts';
import type { Token } from '../../tokenizer/types.ts';
import type { Sampling } from '../request.ts';
import { Logprobs } from './logprobs.ts';
import { resolveSampling } from './sampling.ts';

const token = (id: number): Token => id as Token;

/** How often each token is chosen over `draws` positions of one seed. */
function counts(logits: readonly number[], sampling: Sampling, draws = 4000): number[] {
  const sampler = new Sampler(logits.length);
  const spec = resolveSampling({ seed: 7, ...sampling }, logits.length, 0);
  const found = new Array(logits.length).fill(0);
  for (let i = 0; i < draws; i++) {
    // Only the position counts here: a history without tokens that would be penalised.
    const history = { tokens: [], length: i, promptTokens: 0 };
    found[sampler.sample(Float32Array.from(logits), history, spec)]++;
  }
  return found;
}

/** Pearson's test at one in a thousand, for up to six possible tokens. */
function assertDistribution(found: readonly number[], probabilities: readonly number[]): void {
  const draws = found.reduce((a, b) => a + b, 0);
  let chiSquare = 0;
  probabilities.forEach((p, i) => {
    if (p === 0) assert.equal(found[i], 0, `token ${i} was filtered out, yet chosen`);
    else chiSquare += (found[i] - draws * p) ** 2 / (draws * p);
  });
  assert.ok(chiSquare < 20.5, `chi-square ${chiSquare}: ${found}`);
}

function choose(logits: readonly number[], sampling: Sampling, said: readonly number[] = [], promptTokens = 0): number {
  const sampler = new Sampler(logits.length);
  const spec = resolveSampling({ temperature: 0, ...sampling }, logits.length, 0);
  return sampler.sample(Float32Array.from(logits), { tokens: said, length: said.length, promptTokens }, spec);
}

const halves = [0.5, 0.25, 0.125, 0.0625, 0.0625];
const logits = halves.map(Math.log);

test('the plain distribution, and temperature', () => {
  assertDistribution(counts(logits, {}), halves);
  // At temperature 1/2 probabilities are squared: 64, 16, 4, 1, 1 of 86.
  assertDistribution(
    counts(logits, { temperature: 0.5 }),
    [64, 16, 4, 1, 1].map(n => n / 86),
  );
});

test('top-k, top-p and min-p keep what they should', () => {
  assertDistribution(counts(logits, { topK: 2 }), [2 / 3, 1 / 3, 0, 0, 0]);
  assertDistribution(counts(logits, { topP: 0.75 }), [2 / 3, 1 / 3, 0, 0, 0]);
  assertDistribution(counts(logits, { topP: 0.76 }), [4 / 7, 2 / 7, 1 / 7, 0, 0]);
  assertDistribution(counts(logits, { minP: 0.2 }), [4 / 7, 2 / 7, 1 / 7, 0, 0]);
  // Top-p counts within what top-k left: of 4/7, 2/7, 1/7 the first two reach 0.8.
  assertDistribution(counts(logits, { topK: 3, topP: 0.8 }), [2 / 3, 1 / 3, 0, 0, 0]);
  // Of equal ones the lower ids stay.
  assertDistribution(counts([0, 0, 0, 0], { topK: 2 }), [1 / 2, 1 / 2, 0, 0]);
  assertDistribution(counts(logits, { topP: 0 }), [1, 0, 0, 0, 0]);
  assertDistribution(counts(logits, { temperature: 1e-300 }), [1, 0, 0, 0, 0]);
});

test('a set of filters chooses only what a sort of everything would allow', () => {
  const rows = fc.array(
    fc.integer({ min: -80, max: 80 }).map(n => n / 4),
    { minLength: 2, maxLength: 200 },
  );
  const filters = fc.record({
    topK: fc.integer({ min: 0, max: 30 }),
    topP: fc.double({ min: 0, max: 1, noNaN: true }),
    minP: fc.double({ min: 0, max: 1, noNaN: true }),
    temperature: fc.double({ min: 0.1, max: 2, noNaN: true }),
    seed: fc.maxSafeInteger(),
  });
  fc.assert(
    fc.property(rows, filters, (row, sampling) => {
      const { topK, topP, minP, temperature } = sampling;
      let kept = row.map((_, id) => id).sort((a, b) => row[b] - row[a] || a - b);
      if (topK > 0) kept = kept.slice(0, topK);
      const weight = (id: number): number => Math.exp((row[id] - row[kept[0]]) / temperature);
      const total = kept.reduce((sum, id) => sum + weight(id), 0);
      let mass = 0;
      // A hair's breadth more, for sums in another order.
      kept = kept.filter((id, i) => {
        const inside = i === 0 || mass < topP * total * (1 + 1e-6) + 1e-12;
        mass += weight(id);
        return inside && weight(id) >= minP * (1 - 1e-6);
      });
      assert.ok(kept.includes(choose(row, sampling)));
    }),
    { numRuns: 300 },
  );
});

test('greedy takes the first of the best', () => {
  assert.equal(choose([1, 3, 2, 3], {}), 1);
  assert.equal(choose([1, 3, 2, 3], { temperature: 1, topK: 1 }), 1);
  assert.equal(choose([-Infinity, -5], {}), 1);
});

test('penalties by hand', () => {
  // Repetition: 4 / 2 = 2 < 3; a negative logit is multiplied: -1 * 2 = -2 < -1.5.
  assert.equal(choose([4, 3], { repetitionPenalty: 2 }, [0]), 1);
  assert.equal(choose([-1, -1.5], { repetitionPenalty: 2 }, [0]), 1);
  // Only inside the window, and the prompt counts.
  assert.equal(choose([4, 3], { repetitionPenalty: 2, penaltyWindow: 2 }, [0, 1, 1], 3), 0);
  assert.equal(choose([4, 3], { repetitionPenalty: 2, penaltyWindow: 0 }, [0]), 0);
  // Presence once, frequency each time, for the answer only: 4 - 0.6 = 3.4; 4 - 2 * 0.6 = 2.8.
  assert.equal(choose([4, 3], { presencePenalty: 0.6 }, [0, 0]), 0);
  assert.equal(choose([4, 3], { frequencyPenalty: 0.6 }, [0, 0]), 1);
  assert.equal(choose([4, 3], { frequencyPenalty: 0.6 }, [0, 0], 1), 0);
  assert.equal(choose([4, 3], { presencePenalty: -0.6, frequencyPenalty: -0.6 }, [1]), 1);
});

test('logit bias', () => {
  assert.equal(choose([4, 3], { logitBias: [[token(1), 1.5]] }), 1);
  assert.equal(choose([400, 3], { logitBias: new Map([[token(0), -100]]) }), 1);
});

test('the row is left as it was, and nothing is remembered between calls', () => {
  const sampler = new Sampler(3);
  const row = Float32Array.of(4, 3, 1);
  const penal = resolveSampling(
    { temperature: 0, frequencyPenalty: 2, repetitionPenalty: 3, logitBias: [[token(2), 3]] },
    3,
    0,
  );
  const neutral = resolveSampling({ temperature: 0 }, 3, 0);
  const history = { tokens: [0, 0], length: 2, promptTokens: 0 };
  assert.equal(sampler.sample(row, history, penal), 2);
  assert.deepEqual([...row], [4, 3, 1]);
  assert.equal(sampler.sample(row, history, neutral), 0);
  assert.equal(sampler.sample(row, history, penal), 2);
});

test('logits that are no numbers give no token', () => {
  for (const bad of [
    [1, Number.NaN, 2],
    [-Infinity, -Infinity],
    [1, Infinity],
  ]) {
    assert.equal(choose(bad, {}), unsampled.notFinite);
    assert.equal(choose(bad, { temperature: 1 }), unsampled.notFinite);
  }
});

test('bans that leave nothing are no bans: the answer is the one without them', () => {
  const every = (bias: number) => ({ logitBias: [0, 1, 2].map(id => [token(id), bias] as const) });
  assert.equal(choose([1, 3, 2], every(-100)), 1);
  assert.equal(choose([1, 3, 2], { ...every(-100), repetitionPenalty: 10 }, [1]), 2);
  // What the model itself would never say does not count as left.
  const all = {
    logitBias: [
      [token(1), -100],
      [token(2), -100],
    ] as const,
  };
  assert.equal(choose([-Infinity, 3, 2], all), 1);
  assertDistribution(counts(logits, { logitBias: [0, 1, 2, 3, 4].map(id => [token(id), -100] as const) }), halves);
});

test('whatever the values in range, a token comes out', () => {
  const within = ({ min, max }: { min: number; max: number }) =>
    fc.oneof(fc.double({ min, max, noNaN: true }), fc.constantFrom(min, max));
  const sampling = fc.record({
    temperature: within(ranges.temperature),
    topK: fc.constantFrom(0, 1, 2, 5, 2 ** 32 - 1),
    topP: within(ranges.topP),
    minP: within(ranges.minP),
    repetitionPenalty: within(ranges.repetitionPenalty),
    presencePenalty: within(ranges.presencePenalty),
    frequencyPenalty: within(ranges.frequencyPenalty),
    logitBias: fc.array(fc.tuple(fc.nat(4).map(token), within(ranges.logitBias)), { maxLength: 8 }),
    seed: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
  });
  const row = fc.array(fc.oneof(fc.float({ min: -1000, max: 1000, noNaN: true }), fc.constant(-Infinity)), {
    minLength: 5,
    maxLength: 5,
  });
  fc.assert(
    fc.property(row, sampling, (logits, fields) => {
      fc.pre(logits.some(Number.isFinite));
      const id = choose(logits, fields, [0, 1, 1, 4], 1);
      assert.ok(Number.isInteger(id) && id >= 0 && id < 5);
    }),
    { numRuns: 500 },
  );
});

test('logprobs are those of the untouched distribution, best first', () => {
  const logprobs = new Logprobs(5);
  const near = (a: number, b: number): void => assert.ok(Math.abs(a - b) < 1e-6, `${a} is not ${b}`);
  // Any constant may be added to all logits.
  const {
    logprob,
    top,
    token: of,
  } = logprobs.of(
    Float32Array.from(logits, x => x + 3),
    token(3),
    3,
  );
  assert.equal(of, 3);
  near(logprob, Math.log(0.0625));
  assert.deepEqual(
    top.map(each => each.token),
    [0, 1, 2],
  );
  for (const [i, each] of top.entries()) near(each.logprob, Math.log(halves[i]));
  assert.deepEqual(logprobs.of(Float32Array.from(logits), token(0), 0).top, []);
  assert.equal(logprobs.of(Float32Array.from(logits), token(0), 9).top.length, 5);
});

test('sampling parameters out of range are refused by name', () => {
  const bad: [Sampling, string][] = [
    [{ temperature: -1 }, 'temperature'],
    [{ temperature: Number.NaN }, 'temperature'],
    [{ topK: 1.5 }, 'top_k'],
    [{ topP: 1.1 }, 'top_p'],
    [{ minP: -0.1 }, 'min_p'],
    [{ repetitionPenalty: 0 }, 'repetition_penalty'],
    [{ penaltyWindow: -1 }, 'penalty_window'],
    [{ seed: 2 ** 65 }, 'seed'],
    [{ seed: -(2n ** 63n) - 1n }, 'seed'],
    [{ seed: 0.5 }, 'seed'],
    [{ temperature: 2.1 }, 'temperature'],
    [{ logitBias: [[token(9), 1]] }, 'logit_bias.9'],
    [{ logitBias: [[token(1), Number.NaN]] }, 'logit_bias.1'],
    [{ logitBias: [[token(1), 101]] }, 'logit_bias.1'],
  ];
  for (const [sampling, param] of bad) {
    assert.throws(() => resolveSampling(sampling, 9, 0), { code: 'invalid_request', param });
  }
});

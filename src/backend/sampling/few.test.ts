import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { floats, random } from '../parity/data.ts';
import { chooseFew } from './few.ts';
import { Sampler } from './sampler.ts';

const vocabulary = 3000;
const sampler = new Sampler(vocabulary);

/** Those above the n-th greatest, shuffled, and the sum of the others with an error as a GPU's. */
function fewOf(row: Float32Array, count: number, temperature: number) {
  const order = Array.from(row.keys()).sort((a, b) => row[b] - row[a]);
  const floor = row[order[count]];
  const [best, next] = [row[order[0]], random(count)];
  const ids = Int32Array.from(order.filter(id => row[id] > floor).sort(() => next() - 0.5));
  const mass = (id: number) => (row[id] > floor ? 0 : Math.exp((row[id] - best) / temperature));
  const rest = order.reduce((sum, id) => sum + mass(id), 0) * (1 + (next() - 0.5) * 2e-4);
  return { ids, logits: Float32Array.from(ids, id => row[id]), floor, rest, best };
}

const specs = fc.record({
  temperature: fc.constantFrom(0, 0.3, 0.7, 1, 2),
  topK: fc.constantFrom(0, 0, 1, 2, 40, 256, 5000),
  topP: fc.constantFrom(1, 1, 0, 0.5, 0.9, 0.99),
  minP: fc.constantFrom(0, 0, 0.001, 0.05, 1),
});

test('what the likely tokens choose is what the whole row chooses, and seldom is left open', () => {
  let [asked, open] = [0, 0];
  fc.assert(
    fc.property(specs, fc.nat(), fc.constantFrom(1, 3, 6), fc.boolean(), (chosen, seed, spread, coarse) => {
      const none = { repetitionPenalty: 1, presencePenalty: 0, frequencyPenalty: 0, penaltyWindow: 0, bias: [] };
      const spec = { ...chosen, ...none, seed: [seed, 1] as const };
      const row = floats(seed, vocabulary, spread).map(x => (coarse ? Math.round(x * 8) / 8 : x));
      const history = { tokens: [1, 2], length: 2, promptTokens: 1 };
      const few = fewOf(row, 300, spec.temperature || 1);
      const found = chooseFew(few, history, spec);
      if (spread > 1 && !coarse) asked++;
      if (found === undefined && spread > 1 && !coarse) open++;
      else if (found !== undefined) assert.equal(found, sampler.sample(row, history, spec));
    }),
    { numRuns: 1500 },
  );
  assert.ok(open < asked / 4, `${open} of ${asked}`);
});

test('what might be another token is left open', () => {
  const spec = {
    ...{ temperature: 1, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, presencePenalty: 0, frequencyPenalty: 0 },
    ...{ penaltyWindow: 0, bias: [], seed: [1, 1] as const },
  };
  const history = { tokens: [1], length: 1, promptTokens: 0 };
  const few = { ids: Int32Array.of(4, 9), logits: Float32Array.of(1, 2), floor: 0.5, best: 2 };
  assert.equal(chooseFew({ ...few, rest: 1000 }, history, spec), undefined);
  assert.equal(chooseFew({ ...few, rest: 1000 }, history, { ...spec, topK: 3 }), undefined);
  assert.equal(chooseFew({ ...few, rest: 1000 }, history, { ...spec, minP: 0.01 }), undefined);
  assert.equal(chooseFew({ ...few, rest: 1000 }, history, { ...spec, topP: 0.5 }), undefined);
  assert.equal(chooseFew({ ...few, floor: 3, rest: 0 }, history, { ...spec, temperature: 0 }), undefined);
  assert.equal(chooseFew({ ...few, rest: 1000 }, history, { ...spec, temperature: 0 }), 9);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GgufValue } from '../gguf/types.ts';
import { recommendedSampling } from './recommended-sampling.ts';

const of = (fields: Record<string, GgufValue>) =>
  recommendedSampling(new Map(Object.entries(fields).map(([key, value]) => [`general.sampling.${key}`, value])));

test('what the file recommends is read under the names of requests', () => {
  assert.deepEqual(of({ temp: 0.6, top_k: 20, top_p: 0.95, min_p: 0, penalty_repeat: 1.05, penalty_last_n: 256 }), {
    temperature: 0.6,
    topK: 20,
    topP: 0.95,
    minP: 0,
    repetitionPenalty: 1.05,
    penaltyWindow: 256,
  });
  assert.deepEqual(of({ sequence: 'top_k;temp', mirostat: 2 }), {});
});

test('advice that no request could give is passed over', () => {
  assert.deepEqual(of({ temp: -1, top_k: 2.5, top_p: Number.NaN, min_p: 'much', penalty_last_n: -1 }), {});
});

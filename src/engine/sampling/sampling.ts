import type { SamplingSpec } from '../../backend/backend.ts';
import { seedOf } from '../../backend/sampling/random.ts';
import { checkRange, checkTokens, isWithin, ranges } from '../../ranges.ts';
import type { Token } from '../../tokenizer/types.ts';
import type { Sampling } from '../request.ts';

/** What a field that was not given stands for. */
const neutral = {
  temperature: 1,
  topK: 0,
  topP: 1,
  minP: 0,
  repetitionPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
  penaltyWindow: 64,
} as const;

/**
 * How tokens are chosen, as a backend takes it: fills in the neutral values and checks ranges; `randomSeed` is used when the request has no seed.
 * Throws `invalid_request` naming the client's field.
 */
export function resolveSampling(sampling: Sampling, vocabSize: number, randomSeed: number): SamplingSpec {
  const numbers: Record<keyof typeof neutral, number> = { ...neutral };
  for (const name of Object.keys(neutral) as (keyof typeof neutral)[]) {
    checkRange(sampling[name], ranges[name]);
    numbers[name] = sampling[name] ?? neutral[name];
  }
  checkRange(sampling.seed, ranges.seed);
  return {
    ...numbers,
    topK: Math.max(0, numbers.topK),
    bias: checkedBias(sampling.logitBias, vocabSize),
    seed: seedOf(sampling.seed ?? randomSeed),
  };
}

function checkedBias(bias: Sampling['logitBias'], vocabSize: number): SamplingSpec['bias'] {
  const pairs = bias instanceof Float64Array ? pairsOf(bias) : [...(bias ?? [])];
  const paramOf = (token: number) => `${ranges.logitBias.field}.${token}`;
  const tokens = pairs.map(([token]) => token);
  checkTokens(tokens, vocabSize, i => paramOf(tokens[i]));
  const wrong = pairs.find(([, value]) => !isWithin(value, ranges.logitBias));
  if (wrong) checkRange(wrong[1], ranges.logitBias, paramOf(wrong[0]));
  return pairs as [Token, number][];
}

function pairsOf(flat: Float64Array): [number, number][] {
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i], flat[2 * i + 1]]);
}

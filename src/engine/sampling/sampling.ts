import type { SamplingSpec } from '../../backend/backend.ts';
import { seedOf } from '../../backend/sampling/random.ts';
import { RealmError } from '../../errors.ts';
import { isWithin, outside, type Range, ranges } from '../../ranges.ts';
import type { Token } from '../../tokenizer/types.ts';
import type { Sampling } from '../types.ts';

const fields: Readonly<Record<Exclude<keyof SamplingSpec, 'bias' | 'seed'>, Range & { readonly neutral: number }>> = {
  temperature: { ...ranges.temperature, neutral: 1 },
  topK: { ...ranges.topK, neutral: 0 },
  topP: { ...ranges.topP, neutral: 1 },
  minP: { ...ranges.minP, neutral: 0 },
  repetitionPenalty: { ...ranges.repetitionPenalty, neutral: 1 },
  presencePenalty: { ...ranges.presencePenalty, neutral: 0 },
  frequencyPenalty: { ...ranges.frequencyPenalty, neutral: 0 },
  penaltyWindow: { field: 'penalty_window', min: 0, max: 2 ** 32, integer: true, neutral: 64 },
};

/**
 * How tokens are chosen, as a backend takes it: fills in the neutral values and checks ranges; `randomSeed` is used when the request has no seed.
 * Throws `invalid_request` naming the client's field.
 */
export function resolveSampling(sampling: Sampling, vocabSize: number, randomSeed: number): SamplingSpec {
  const numbers = Object.fromEntries(
    Object.entries(fields).map(([name, field]) => {
      const value = sampling[name as keyof typeof fields];
      return [name, value === undefined ? field.neutral : checked(value, field)];
    }),
  ) as Record<keyof typeof fields, number>;
  const seed = seedOf(checked(sampling.seed ?? randomSeed, ranges.seed));
  return { ...numbers, bias: checkedBias(sampling.logitBias, vocabSize), seed };
}

function checked<T extends number | bigint>(value: T, range: Range): T {
  if (isWithin(value, range)) return value;
  throw invalid(range.field, outside(value, range));
}

function checkedBias(bias: Sampling['logitBias'], vocabSize: number): SamplingSpec['bias'] {
  const pairs = bias instanceof Float64Array ? pairsOf(bias) : [...(bias ?? [])];
  const range = ranges.logitBias;
  for (const [token, value] of pairs) {
    if (!(Number.isInteger(token) && token >= 0 && token < vocabSize)) {
      throw invalid(range.field, `names token ${token}, but the vocabulary has ${vocabSize} tokens`);
    }
    if (!isWithin(value, range)) throw invalid(range.field, `of token ${token} ${outside(value, range)}`);
  }
  return pairs;
}

function pairsOf(flat: Float64Array): [Token, number][] {
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i] as Token, flat[2 * i + 1]]);
}

function invalid(param: string, rest: string): RealmError {
  return new RealmError('invalid_request', `${param} ${rest}`, { param });
}

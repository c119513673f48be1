import { RealmError } from '../errors.ts';
import type { Token } from '../tokenizer/types.ts';
import type { Sampling } from './types.ts';

/** A {@link Sampling} with every field given and checked. */
export interface SamplingSpec {
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  readonly repetitionPenalty: number;
  readonly presencePenalty: number;
  readonly frequencyPenalty: number;
  readonly penaltyWindow: number;
  readonly bias: readonly (readonly [Token, number])[];
  readonly seed: number;
}

interface Field {
  readonly neutral: number;
  readonly min: number;
  readonly max: number;
  readonly integer?: boolean;
}

const fields = {
  temperature: { neutral: 1, min: 0, max: 100 },
  topK: { neutral: 0, min: 0, max: Number.MAX_SAFE_INTEGER, integer: true },
  topP: { neutral: 1, min: 0, max: 1 },
  minP: { neutral: 0, min: 0, max: 1 },
  repetitionPenalty: { neutral: 1, min: 0.01, max: 100 },
  presencePenalty: { neutral: 0, min: -100, max: 100 },
  frequencyPenalty: { neutral: 0, min: -100, max: 100 },
  penaltyWindow: { neutral: 64, min: 0, max: Number.MAX_SAFE_INTEGER, integer: true },
} as const satisfies Record<string, Field>;

/**
 * Fills in the neutral values and checks ranges; `randomSeed` is used when the request has no seed.
 * Throws `invalid_request` naming the field.
 */
export function resolveSampling(sampling: Sampling, vocabSize: number, randomSeed: number): SamplingSpec {
  const numbers = Object.fromEntries(
    Object.entries(fields).map(([name, field]) => [name, checked(name, sampling[name as keyof typeof fields], field)]),
  ) as Record<keyof typeof fields, number>;
  const seed = sampling.seed ?? randomSeed;
  if (!Number.isSafeInteger(seed)) throw invalid('seed', `must be an integer between -2^53 and 2^53, not ${seed}`);
  return { ...numbers, bias: checkedBias(sampling.logitBias, vocabSize), seed };
}

function checked(name: string, value: number | undefined, field: Field): number {
  if (value === undefined) return field.neutral;
  const fits = value >= field.min && value <= field.max && (!field.integer || Number.isInteger(value));
  if (fits) return value;
  const range = field.max === Number.MAX_SAFE_INTEGER ? `${field.min} or more` : `from ${field.min} to ${field.max}`;
  throw invalid(name, `must be ${field.integer ? 'an integer' : 'a number'} ${range}, not ${value}`);
}

function checkedBias(bias: Sampling['logitBias'], vocabSize: number): SamplingSpec['bias'] {
  const pairs = bias instanceof Float64Array ? pairsOf(bias) : [...(bias ?? [])];
  for (const [token, value] of pairs) {
    if (!(Number.isInteger(token) && token >= 0 && token < vocabSize)) {
      throw invalid('logitBias', `names token ${token}, but the vocabulary has ${vocabSize} tokens`);
    }
    if (Number.isNaN(value)) throw invalid('logitBias', `of token ${token} is not a number`);
  }
  return pairs;
}

function pairsOf(flat: Float64Array): [Token, number][] {
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i] as Token, flat[2 * i + 1]]);
}

function invalid(param: string, rest: string): RealmError {
  return new RealmError('invalid_request', `${param} ${rest}`, { param });
}

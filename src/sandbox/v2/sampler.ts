import type { Sampling } from '../../engine/request.ts';
import { RealmError } from '../../errors.ts';
import { checkRange, type Range, ranges } from '../../ranges.ts';
import { GuestError } from '../abi.ts';
import { Refusal } from './refusal.ts';

const fields = [
  'temperature',
  'topP',
  'topK',
  'minP',
  'repetitionPenalty',
  'presencePenalty',
  'frequencyPenalty',
  'penaltyWindow',
  'seed',
] as const satisfies readonly (keyof Sampling)[];

/** Reads the document of `seq_sampler`. */
export function readSampler(text: string): Sampling {
  const document = parseObject(text);
  const sampling: Sampling = {};
  for (const field of fields) {
    const range: Range = ranges[field];
    const value = document[range.field];
    delete document[range.field];
    if (value === undefined || value === null) continue;
    if (typeof value !== 'number') throw wrong(`${range.field}: must be a number`);
    check(value, range);
    sampling[field] = value;
  }
  const [unknown] = Object.keys(document);
  if (unknown !== undefined) throw wrong(`a sampler has no field ${unknown.slice(0, 50)}`);
  return sampling;
}

export function parseObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw wrong(`no JSON: ${(error as Error).message}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong('it must be a JSON object');
  return value as Record<string, unknown>;
}

export function check(value: number, range: Range): void {
  try {
    checkRange(value, range);
  } catch (error) {
    throw error instanceof RealmError ? wrong(error.message) : error;
  }
}

export const wrong = (message: string): Refusal => new Refusal(GuestError.invalidArgument, message);

/** The golden ratio in 64 bits: its multiples are far from each other. */
const STRIDE = 0x9e37_79b9_7f4a_7c15n;

/** Sequences of one run must not all draw the same; the first one draws as a plain request does. `seed` 0: none was said. */
export function seedOf(seed: bigint, ordinal: number): bigint | undefined {
  return seed === 0n ? undefined : BigInt.asUintN(64, seed + BigInt(ordinal) * STRIDE);
}

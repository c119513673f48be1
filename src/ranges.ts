/** What a number may be, and what clients call it. */
export interface Range {
  readonly field: string;
  readonly min: number;
  readonly max: number;
  readonly integer?: boolean;
}

/** The one place for the bounds of a generation's numbers, wherever they come from: a request, realm.yaml, a program, the engine's caller. */
export const ranges = {
  temperature: { field: 'temperature', min: 0, max: 2 },
  topK: { field: 'top_k', min: 0, max: 2 ** 32 - 1, integer: true },
  topP: { field: 'top_p', min: 0, max: 1 },
  minP: { field: 'min_p', min: 0, max: 1 },
  repetitionPenalty: { field: 'repetition_penalty', min: 0.01, max: 10 },
  presencePenalty: { field: 'presence_penalty', min: -2, max: 2 },
  frequencyPenalty: { field: 'frequency_penalty', min: -2, max: 2 },
  logitBias: { field: 'logit_bias', min: -100, max: 100 },
  /** 64 bits, signed or not. JSON's numbers cannot tell 2^64 - 1 from 2^64. */
  seed: { field: 'seed', min: -(2 ** 63), max: 2 ** 64, integer: true },
  topLogprobs: { field: 'top_logprobs', min: 0, max: 20, integer: true },
  /** Most tokens of one sequence. */
  context: { field: 'context', min: 64, max: 2 ** 24, integer: true },
  priority: { field: 'priority', min: -1000, max: 1000, integer: true },
} as const satisfies Record<string, Range>;

export function isWithin(value: number | bigint, { min, max, integer }: Range): boolean {
  return value >= min && value <= max && (!integer || typeof value === 'bigint' || Number.isInteger(value));
}

/** What is wrong with a value outside. */
export function outside(value: number | bigint, { min, max, integer }: Range): string {
  return `must be ${integer ? 'an integer' : 'a number'} from ${min} to ${max}, not ${value}`;
}

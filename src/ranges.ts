import { RealmError } from './errors.ts';

/** What a number may be, and what clients call it. */
export interface Range extends Bounds {
  readonly field: string;
}

export interface Bounds {
  readonly min: number;
  readonly max: number;
  readonly integer?: boolean;
  /** What it must be, where the bounds say it badly. */
  readonly words?: string;
}

/**
 * The one place for the bounds of a generation's numbers, and {@link outside} for the words of a refusal, wherever a
 * number comes from: a request, realm.yaml, a program, a command, the library.
 */
export const ranges = {
  temperature: { field: 'temperature', min: 0, max: 2 },
  /** -1 keeps all, as 0 does: llama-server's clients say it so. */
  topK: { field: 'top_k', min: -1, max: 2 ** 32 - 1, integer: true },
  topP: { field: 'top_p', min: 0, max: 1 },
  minP: { field: 'min_p', min: 0, max: 1 },
  repetitionPenalty: { field: 'repetition_penalty', min: 0.01, max: 10 },
  presencePenalty: { field: 'presence_penalty', min: -2, max: 2 },
  frequencyPenalty: { field: 'frequency_penalty', min: -2, max: 2 },
  penaltyWindow: { field: 'penalty_window', min: 0, max: 2 ** 32, integer: true },
  logitBias: { field: 'logit_bias', min: -100, max: 100 },
  /** 64 bits, signed or not. JSON's numbers cannot tell 2^64 - 1 from 2^64. */
  seed: { field: 'seed', min: -(2 ** 63), max: 2 ** 64, integer: true, words: 'an integer of 64 bits' },
  topLogprobs: { field: 'top_logprobs', min: 0, max: 20, integer: true },
  promptLogprobs: { field: 'prompt_logprobs', min: 0, max: 20, integer: true },
  /** As much as is left: nothing is too large. */
  maxTokens: { field: 'max_tokens', min: 0, max: Number.POSITIVE_INFINITY, integer: true },
  minTokens: { field: 'min_tokens', min: 0, max: Number.POSITIVE_INFINITY, integer: true },
  /** Most tokens of one sequence. */
  context: { field: 'context', min: 64, max: 2 ** 24, integer: true },
  /** Of a model's layers those on a GPU; more than there are: all. */
  gpuLayers: { field: 'gpu_layers', min: 0, max: 100_000, integer: true },
  priority: { field: 'priority', min: -1000, max: 1000, integer: true },
  /** Milliseconds; timers have 31 bits. */
  queueMs: { field: 'queue_ms', min: 1, max: 2 ** 31 - 1 },
} as const satisfies Record<string, Range>;

export function isWithin(value: number | bigint, { min, max, integer }: Bounds): boolean {
  return value >= min && value <= max && (!integer || typeof value === 'bigint' || Number.isInteger(value));
}

/** What is wrong with a value outside. */
export function outside(value: number | bigint | string, { min, max, integer, words }: Bounds): string {
  const bounds = max === Number.POSITIVE_INFINITY ? `of at least ${min}` : `from ${min} to ${max}`;
  return `must be ${words ?? `${integer ? 'an integer' : 'a number'} ${bounds}`}, not ${value}`;
}

/** Throws `invalid_request` for a value outside; one that is not said is right. */
export function checkRange(value: number | bigint | undefined, range: Range, param: string = range.field): void {
  if (value !== undefined && !isWithin(value, range)) throw invalid(param, outside(value, range));
}

/** Throws `invalid_request` for the first that is no token of the vocabulary; `paramOf` says what its sender calls it. */
export function checkTokens(tokens: ArrayLike<number>, vocabSize: number, paramOf: (index: number) => string): void {
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i] ?? Number.NaN;
    if (Number.isInteger(token) && token >= 0 && token < vocabSize) continue;
    throw invalid(paramOf(i), `there is no token ${token}; the vocabulary has ${vocabSize}`);
  }
}

function invalid(param: string, problem: string): RealmError {
  return new RealmError('invalid_request', `${param}: ${problem}`, { param });
}

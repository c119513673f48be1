import { z } from 'zod';
import type { Sampling } from '../engine/types.ts';
import { isWithin, ranges } from '../ranges.ts';
import { name, within } from '../tenancy/schema.ts';

/** Request fields that chat and plain completions share. A null stands for an absent field, as OpenAI's clients send it. */

export function optional<T extends z.ZodType>(schema: T) {
  return schema.nullish().transform(value => value ?? undefined);
}

/** A field of OpenAI's that Realm does not have: refused by name unless its value changes nothing. */
export function unsupported(neutral: (value: unknown) => boolean = () => false) {
  const harmless = (value: unknown) => value === undefined || value === null || neutral(value);
  return z.unknown().optional().refine(harmless, { error: 'is not supported; leave it out' });
}

export const isEmptyList = (value: unknown) => Array.isArray(value) && value.length === 0;

/** The message for a value of a wrong type; other mistakes keep their own. */
export function ofType(message: string) {
  return (issue: { code: string; input?: unknown }) =>
    issue.code === 'invalid_type' && issue.input !== undefined ? message : undefined;
}

/** As much as is left: nothing is too large. */
export const maxTokens = z.number().min(1).refine(Number.isInteger, { error: 'must be an integer' });

/** Beyond 2^53 a seed is the nearest number that JavaScript has. */
const seed = z.number().refine(value => isWithin(value, ranges.seed), { error: 'must be an integer of 64 bits' });

/** Token ids as one object, however many they are; of wrong ones the first is named. */
export const tokenList = z.unknown().transform((value, context): Float64Array => {
  if (!Array.isArray(value)) {
    context.addIssue({ code: 'custom', message: value === undefined ? 'is required' : 'must be a list' });
    return z.NEVER;
  }
  const wrong = value.findIndex(id => !isTokenId(id));
  if (wrong < 0) return Float64Array.from(value);
  const message = Number.isSafeInteger(value[wrong]) ? 'must be at least 0' : 'must be an integer';
  context.addIssue({ code: 'custom', path: [wrong], message });
  return z.NEVER;
});

export const isTokenId = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

const stopString = z.string().min(1).max(1024);

const stop = z
  .unknown()
  .optional()
  .transform(value => (value === undefined || value === null ? [] : typeof value === 'string' ? [value] : value))
  .pipe(z.array(stopString, { error: ofType('must be a string or a list of up to 4 strings') }).max(4));

const logitBias = z
  .record(z.string().regex(/^\d{1,9}$/, { error: 'must be a token id' }), within(ranges.logitBias))
  .transform(bias => Float64Array.from(Object.entries(bias).flatMap(([id, value]) => [Number(id), value])));

export const sharedFields = {
  model: optional(z.string()),
  stream: optional(z.boolean()),
  stream_options: optional(z.object({ include_usage: optional(z.boolean()) })),
  max_tokens: optional(maxTokens),
  n: optional(z.int().min(1)),
  stop,
  seed: optional(seed),
  temperature: optional(within(ranges.temperature)),
  top_p: optional(within(ranges.topP)),
  presence_penalty: optional(within(ranges.presencePenalty)),
  frequency_penalty: optional(within(ranges.frequencyPenalty)),
  logit_bias: optional(logitBias),
  user: optional(z.string()),
  // Not OpenAI's, with the names that llama-server and vLLM use.
  top_k: optional(within({ ...ranges.topK, min: -1 })),
  min_p: optional(within(ranges.minP)),
  repetition_penalty: optional(within(ranges.repetitionPenalty)),
  // Realm's own: which of the tenant's requests go first, and names of saved sessions.
  priority: optional(within(ranges.priority)),
  session: optional(name),
  save_session: optional(name),
};

export const topLogprobs = within(ranges.topLogprobs);

type SamplingFields = { [Field in keyof typeof sharedFields]: z.output<(typeof sharedFields)[Field]> };

/** What a request asks of the generation, whichever route it came by. */
export interface Settings {
  readonly sampling: Sampling & { logitBias?: Float64Array };
  /** Absent: until the model ends or the context is full. */
  readonly maxTokens?: number;
  readonly stop: readonly string[];
  readonly topLogprobs?: number;
  readonly n: number;
  readonly stream: boolean;
  readonly includeUsage: boolean;
  /** Higher goes first among the tenant's own. */
  readonly priority?: number;
  /** Restored before the answer. */
  readonly session?: string;
  /** Saved after it. */
  readonly saveSession?: string;
}

export function toSettings(fields: SamplingFields): Omit<Settings, 'maxTokens' | 'topLogprobs'> {
  return {
    sampling: toSampling(fields),
    stop: fields.stop,
    n: fields.n ?? 1,
    priority: fields.priority,
    session: fields.session,
    saveSession: fields.save_session,
    stream: fields.stream ?? false,
    includeUsage: fields.stream_options?.include_usage ?? false,
  };
}

/** Only the fields that were sent, so that a model's defaults can fill the rest. */
function toSampling(fields: SamplingFields): Settings['sampling'] {
  const sampling: Settings['sampling'] = {
    temperature: fields.temperature,
    topK: fields.top_k === undefined ? undefined : Math.max(0, fields.top_k),
    topP: fields.top_p,
    minP: fields.min_p,
    repetitionPenalty: fields.repetition_penalty,
    presencePenalty: fields.presence_penalty,
    frequencyPenalty: fields.frequency_penalty,
    logitBias: fields.logit_bias,
    seed: fields.seed,
  };
  return Object.fromEntries(Object.entries(sampling).filter(([, value]) => value !== undefined));
}

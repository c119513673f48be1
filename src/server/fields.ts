import { z } from 'zod';
import type { GenerationSettings, Sampling } from '../engine/request.ts';
import type { ToolUse } from '../output-format/constraint-source.ts';
import { ranges } from '../ranges.ts';
import { programRef } from '../tenancy/program-ref.ts';
import { name, within } from '../tenancy/schema.ts';
import type { Token } from '../tokenizer/types.ts';

/** Request fields that chat and plain completions share. A null stands for an absent field, as OpenAI's clients send it. */

export function optional<T extends z.ZodType>(schema: T) {
  return schema.nullish().transform(value => value ?? undefined);
}

/** What the description of the API says of fields that are known and do nothing. */
export const fates = {
  refused: 'Refused, unless its value changes nothing.',
  ignored: 'Ignored: it changes no answer.',
};

/** A field of another server's that Realm does not have: refused by name unless its value changes nothing. */
export function unsupported(neutral: (value: unknown) => boolean = () => false, params: Record<string, string> = {}) {
  const harmless = (value: unknown) => value === undefined || value === null || neutral(value);
  const refused = z.unknown().optional().refine(harmless, { error: 'is not supported; leave it out', params });
  return refused.meta({ description: fates.refused });
}

/** A field of another server's that changes no answer here, whatever its value. It is read as if it were not there. */
export function ignored() {
  const nothing = z
    .unknown()
    .optional()
    .transform(() => undefined);
  return nothing.meta({ description: fates.ignored });
}

export const isEmptyList = (value: unknown) => Array.isArray(value) && value.length === 0;

/** The message for a value of a wrong type; other mistakes keep their own. */
export function ofType(message: string) {
  return (issue: { code: string; input?: unknown }) =>
    issue.code === 'invalid_type' && issue.input !== undefined ? message : undefined;
}

/** -1 stands for as many as there are. */
export const maxTokens = z
  .unknown()
  .transform(value => (value === -1 ? Number.MAX_SAFE_INTEGER : value))
  .pipe(within(ranges.maxTokens));

/** -1 stands for all of the context, as llama-server and Ollama have it. */
const penaltyWindow = z
  .unknown()
  .transform(value => (value === -1 ? ranges.penaltyWindow.max : value))
  .pipe(within(ranges.penaltyWindow));

/** Numbers as one object, however many they are; of what is none the first is named. Whoever has the vocabulary says which are tokens. */
export const tokenList = z.unknown().transform((value, context): Float64Array => {
  if (!Array.isArray(value)) {
    context.addIssue({ code: 'custom', message: value === undefined ? 'is required' : 'must be a list' });
    return z.NEVER;
  }
  const wrong = value.findIndex(id => typeof id !== 'number');
  if (wrong < 0) return Float64Array.from(value);
  context.addIssue({ code: 'custom', path: [wrong], message: 'must be a number' });
  return z.NEVER;
});

const stopString = z.string().min(1).max(1024);

const stop = z
  .unknown()
  .optional()
  .transform(value => (value === undefined || value === null ? [] : typeof value === 'string' ? [value] : value))
  .pipe(z.array(stopString, { error: ofType('must be a string or a list of up to 32 strings') }).max(32));

const logitBias = z
  .record(z.string().regex(/^\d{1,9}$/, { error: 'must be a token id' }), within(ranges.logitBias))
  .transform(bias => Float64Array.from(Object.entries(bias).flatMap(([id, value]) => [Number(id), value])));

export const sharedFields = {
  model: optional(z.string()),
  stream: optional(z.boolean()),
  stream_options: optional(z.object({ include_usage: optional(z.boolean()), include_obfuscation: ignored() })),
  max_tokens: optional(maxTokens),
  n_predict: optional(maxTokens),
  min_tokens: optional(within(ranges.minTokens)),
  n: optional(z.int().min(1)),
  stop,
  stop_token_ids: optional(z.array(z.int().min(0)).max(64)),
  ignore_eos: optional(z.boolean()),
  /** Beyond 2^53 the nearest number that JavaScript has. */
  seed: optional(within(ranges.seed)),
  temperature: optional(within(ranges.temperature)),
  top_p: optional(within(ranges.topP)),
  presence_penalty: optional(within(ranges.presencePenalty)),
  frequency_penalty: optional(within(ranges.frequencyPenalty)),
  logit_bias: optional(logitBias),
  user: ignored(),
  // Not OpenAI's, with the names that llama-server and vLLM use.
  top_k: optional(within(ranges.topK)),
  min_p: optional(within(ranges.minP)),
  repetition_penalty: optional(within(ranges.repetitionPenalty)),
  repeat_penalty: optional(within(ranges.repetitionPenalty)),
  repeat_last_n: optional(penaltyWindow),
  // Realm's own: what answers, which of the tenant's requests go first, and names of saved sessions.
  program: optional(programRef),
  priority: optional(within(ranges.priority)),
  session: optional(name),
  save_session: optional(name),
};

export const topLogprobs = within(ranges.topLogprobs);

type SharedFields = { [Field in keyof typeof sharedFields]: z.output<(typeof sharedFields)[Field]> };

/** What a body asks for, whichever route it came by: `n` answers to each prompt. */
export interface GenerationBody {
  readonly model: string | undefined;
  /** What answers, in the place of the tenant's own program: a name, or one of its versions. */
  readonly program?: string | undefined;
  readonly kind: 'chat' | 'completion';
  /** Chats as the documents that the tenant's program gets, or plain texts, or their tokens. */
  readonly prompts: readonly (string | Float64Array)[];
  /** What follows the gap that is to be filled in behind each prompt. */
  readonly suffix?: string | undefined;
  /** The prompt is repeated before the answer. */
  readonly echo?: boolean | undefined;
  /** A chat that is too long loses its oldest messages. */
  readonly truncate?: boolean | undefined;
  /** A step of a pipeline calls a program: the prompt is the JSON of what it is given. */
  readonly called?: boolean | undefined;
  readonly settings: GenerationSettings;
  readonly n: number;
  readonly stream: boolean;
  readonly includeUsage: boolean;
  /** The client hears of what programs emit beside their answer. */
  readonly events?: boolean | undefined;
  /** Tools that the answer may call. */
  readonly tools?: ToolUse | undefined;
  /** How the model is told to write calls, whatever its own format is. */
  readonly toolFormat?: string | undefined;
  /** Restored before the answer. */
  readonly session?: string | undefined;
  /** Saved after it. */
  readonly saveSession?: string | undefined;
}

/** `own`: what the routes' fields say each in its own way. */
export function toBody(
  fields: SharedFields,
  {
    kind,
    prompts,
    tools,
    toolFormat,
    suffix,
    echo,
    truncate,
    events,
    ...own
  }: Pick<GenerationBody, 'kind' | 'prompts' | 'tools' | 'toolFormat' | 'suffix' | 'echo' | 'truncate' | 'events'> &
    Pick<GenerationSettings, 'maxTokens' | 'topLogprobs' | 'promptLogprobs' | 'constraint'>,
): GenerationBody {
  return {
    model: fields.model,
    program: fields.program,
    kind,
    prompts,
    tools,
    toolFormat,
    suffix,
    echo,
    truncate,
    events,
    settings: {
      sampling: toSampling(fields),
      stop: fields.stop,
      stopTokens: fields.stop_token_ids as readonly Token[] | undefined,
      ignoreEnds: fields.ignore_eos,
      minTokens: fields.min_tokens,
      priority: fields.priority,
      ...own,
    },
    n: fields.n ?? 1,
    stream: fields.stream ?? false,
    includeUsage: fields.stream_options?.include_usage ?? false,
    session: fields.session,
    saveSession: fields.save_session,
  };
}

function toSampling(fields: SharedFields): Sampling {
  return {
    temperature: fields.temperature,
    topK: fields.top_k,
    topP: fields.top_p,
    minP: fields.min_p,
    repetitionPenalty: fields.repetition_penalty ?? fields.repeat_penalty,
    penaltyWindow: fields.repeat_last_n,
    presencePenalty: fields.presence_penalty,
    frequencyPenalty: fields.frequency_penalty,
    logitBias: fields.logit_bias,
    seed: fields.seed,
  };
}

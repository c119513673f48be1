import { z } from 'zod';
import { ignored, isEmptyList, optional, unsupported } from '../fields.ts';
import { mediaParams } from '../media.ts';

/** What Ollama's requests for answers have in common: https://docs.ollama.com/api. */

const is = (neutral: unknown) => unsupported(value => value === neutral);

/** What is about memory and threads is the server's own. */
const machine = {
  num_ctx: ignored(),
  num_batch: ignored(),
  num_gpu: ignored(),
  main_gpu: ignored(),
  num_thread: ignored(),
  numa: ignored(),
  low_vram: ignored(),
  f16_kv: ignored(),
  use_mmap: ignored(),
  use_mlock: ignored(),
  vocab_only: ignored(),
  logits_all: ignored(),
  embedding_only: ignored(),
};

/** Parameters of a model. */
const options = z
  .object({
    num_predict: optional(z.number()),
    temperature: optional(z.number()),
    top_k: optional(z.number()),
    top_p: optional(z.number()),
    min_p: optional(z.number()),
    seed: optional(z.number()),
    stop: optional(z.union([z.string(), z.array(z.string())])),
    repeat_penalty: optional(z.number()),
    repeat_last_n: optional(z.number()),
    presence_penalty: optional(z.number()),
    frequency_penalty: optional(z.number()),
    typical_p: is(1),
    tfs_z: is(1),
    mirostat: is(0),
    /** Numbers of mirostat. */
    mirostat_tau: ignored(),
    mirostat_eta: ignored(),
    penalize_newline: is(true),
    /** Of what a full context keeps; here it ends the answer. */
    num_keep: ignored(),
    ...machine,
  })
  .transform(({ num_predict, repeat_penalty, ...named }) => ({
    temperature: named.temperature,
    top_k: named.top_k,
    top_p: named.top_p,
    min_p: named.min_p,
    seed: named.seed,
    stop: named.stop,
    presence_penalty: named.presence_penalty,
    frequency_penalty: named.frequency_penalty,
    repetition_penalty: repeat_penalty,
    repeat_last_n: named.repeat_last_n,
    // -1: without end; -2: until the context is full.
    max_tokens: num_predict !== undefined && num_predict < 0 ? -1 : num_predict,
  }));

export const answerFields = {
  model: optional(z.string()),
  /** Realm's own, as in chats. */
  program: optional(z.string()),
  stream: optional(z.boolean()),
  options: optional(options),
  /** `json`, or a JSON Schema. */
  format: optional(z.union([z.enum(['json', '']), z.record(z.string(), z.unknown())])),
  think: optional(z.union([z.boolean(), z.enum(['low', 'medium', 'high', 'max'])])),
  /** Models stay loaded; without a prompt it is a wish by itself. */
  keep_alive: optional(z.union([z.string(), z.number()])),
  logprobs: optional(z.boolean()),
  top_logprobs: optional(z.number()),
  /** A full context ends the answer. */
  shift: is(false),
};

export const noImages = unsupported(isEmptyList, mediaParams);

type AnswerFields = z.output<z.ZodObject<typeof answerFields>>;

/** The fields under the names that chats and completions have for them. */
export function toShared({
  model,
  program,
  stream = true,
  options: named,
  format,
}: AnswerFields): Record<string, unknown> {
  return { model, program, stream, ...named, response_format: toResponseFormat(format) };
}

function toResponseFormat(format: AnswerFields['format']): object | undefined {
  if (format === undefined || format === '') return undefined;
  if (format === 'json') return { type: 'json_object' };
  return { type: 'json_schema', json_schema: { name: 'answer', schema: format } };
}

/** What only chats have. Those that are too long lose their oldest messages, unless that is not wanted. */
export function toChatFields({
  think,
  logprobs,
  top_logprobs,
  truncate,
}: AnswerFields & { truncate?: boolean | undefined }): Record<string, unknown> {
  return { ...toThinking(think), logprobs, top_logprobs, truncation: truncate === false ? 'disabled' : 'auto' };
}

/** How the template is told whether to think; absent: as it does by itself. */
function toThinking(think: AnswerFields['think']): Record<string, unknown> {
  if (think === undefined) return {};
  if (typeof think === 'boolean') return { chat_template_kwargs: { enable_thinking: think, thinking: think } };
  return { reasoning_effort: think === 'max' ? 'high' : think };
}

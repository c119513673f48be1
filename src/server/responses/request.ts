import { z } from 'zod';
import { ignored, isEmptyList, optional, unsupported } from '../fields.ts';
import { itemList } from './items.ts';

/** `POST /v1/responses`, as Open Responses of 2026-04-24 and OpenAI have it. */

/** Fields of chat completions that mean the same here, Realm's own among them: the chat's schema reads them. */
export const passedOn = [
  'model',
  'stream',
  'temperature',
  'top_p',
  'presence_penalty',
  'frequency_penalty',
  'parallel_tool_calls',
  'seed',
  'stop',
  'logit_bias',
  'top_k',
  'min_p',
  'repetition_penalty',
  'priority',
  'program',
  'chat_template_kwargs',
] as const;

const anything = z.unknown().optional();
const asInChat = Object.fromEntries(passedOn.map(name => [name, anything])) as Record<
  (typeof passedOn)[number],
  typeof anything
>;

const functionTool = z.object({
  type: z.literal('function'),
  name: z.string(),
  description: optional(z.string()),
  parameters: optional(z.record(z.string(), z.unknown())),
  strict: optional(z.boolean()),
  output_schema: ignored(),
  defer_loading: ignored(),
  allowed_callers: ignored(),
});

export type FunctionTool = z.output<typeof functionTool>;

export const isFunction = (tool: unknown) => (tool as { type?: unknown } | null)?.type === 'function';

/** Tools of other types are the service's own, or a client's that does without: models here cannot call them. */
const tools = optional(
  z
    .array(z.unknown())
    .transform(list => list.filter(isFunction))
    .pipe(z.array(functionTool)),
);

const mode = z.enum(['none', 'auto', 'required']);
const namedFunction = z.object({ type: z.literal('function'), name: z.string() });
const allowedTools = z.object({
  type: z.literal('allowed_tools'),
  mode: mode.default('auto'),
  tools: z.array(z.unknown().transform(tool => tool as { type?: string; name?: string })).min(1),
});

const toolChoice = z.union([mode, namedFunction, allowedTools], {
  error: 'must be "none", "auto", "required", a function by its name, or allowed_tools',
});

export type ToolChoice = z.output<typeof toolChoice>;

const textFormat = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text') }),
  z.object({ type: z.literal('json_object') }),
  z.object({
    type: z.literal('json_schema'),
    name: optional(z.string()),
    description: optional(z.string()),
    schema: z.unknown(),
    strict: optional(z.boolean()),
  }),
]);

export type TextFormat = z.output<typeof textFormat>;

const text = z.object({ format: optional(textFormat), verbosity: optional(z.enum(['low', 'medium', 'high'])) });

const reasoning = z.object({
  effort: optional(z.string()),
  /** Thoughts come whole. */
  summary: optional(z.string()),
  generate_summary: ignored(),
  /** The chat template decides which thoughts it writes again. */
  context: unsupported(value => value === 'auto'),
  mode: unsupported(value => value === 'standard'),
});

const metadata = z
  .record(z.string().max(64), z.string().max(512))
  .refine(entries => Object.keys(entries).length <= 16, { error: 'must have at most 16 entries' });

const isOff = (value: unknown) => value === false;

export function responsesSchema(limits: { messages: number }) {
  return z
    .object({
      ...asInChat,
      /** Of a message over a WebSocket. */
      type: optional(z.literal('response.create')),
      input: itemList(limits.messages),
      instructions: optional(z.string()),
      previous_response_id: optional(z.string()),
      store: optional(z.boolean()),
      /** false: the input is stored for the next request, and nothing is generated. */
      generate: optional(z.boolean()),
      tools,
      tool_choice: optional(toolChoice),
      text: optional(text),
      reasoning: optional(reasoning),
      max_output_tokens: anything,
      max_tool_calls: optional(z.int().min(1)),
      top_logprobs: anything,
      include: optional(z.array(z.string())),
      metadata: optional(metadata),
      prompt_cache_key: optional(z.string()),
      safety_identifier: optional(z.string()),
      truncation: optional(z.enum(['auto', 'disabled'])),
      service_tier: optional(z.string()),
      user: optional(z.string()),
      background: unsupported(isOff),
      session: unsupported(),
      tool_format: unsupported(),
      save_session: unsupported(),
      conversation: unsupported(),
      prompt: unsupported(),
      context_management: unsupported(isEmptyList),
      moderation: unsupported(),
      stream_options: ignored(),
      prompt_cache_options: ignored(),
      prompt_cache_retention: ignored(),
      /** Codex sends it. */
      client_metadata: ignored(),
    })
    .transform(({ type, background, conversation, prompt, context_management, moderation, ...fields }) => fields);
}

/** `POST /v1/responses/compact`. */
export function compactSchema(limits: { messages: number }) {
  return z.object({
    model: z.string(),
    input: itemList(limits.messages),
    instructions: optional(z.string()),
    previous_response_id: optional(z.string()),
    prompt_cache_key: optional(z.string()),
    prompt_cache_options: ignored(),
    prompt_cache_retention: ignored(),
    service_tier: ignored(),
  });
}

export type ResponsesRequest = z.output<ReturnType<typeof responsesSchema>>;
export type CompactRequest = z.output<ReturnType<typeof compactSchema>>;

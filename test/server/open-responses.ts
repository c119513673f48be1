/** The shapes of Open Responses, as far as they are required: https://www.openresponses.org (2026-04-24). */
import { z } from 'zod';

const int = z.int();
const text = z.string();
const nullable = <T extends z.ZodType>(schema: T) => z.union([schema, z.null()]);
const itemStatus = z.enum(['in_progress', 'completed', 'incomplete']);

const logprob = z.object({
  token: text,
  logprob: z.number(),
  bytes: z.array(int),
  top_logprobs: z.array(z.object({ token: text, logprob: z.number(), bytes: z.array(int) })),
});

const part = z.discriminatedUnion('type', [
  z.object({ type: z.literal('input_text'), text }),
  z.object({
    type: z.literal('output_text'),
    text,
    annotations: z.array(z.never()),
    logprobs: z.array(logprob).optional(),
  }),
  z.object({ type: z.literal('reasoning_text'), text }),
  z.object({ type: z.literal('summary_text'), text }),
]);

export const item = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('message'),
    id: text,
    status: itemStatus,
    role: z.enum(['user', 'assistant', 'system', 'developer']),
    content: z.array(part),
  }),
  z.object({
    type: z.literal('function_call'),
    id: text,
    call_id: text,
    name: text,
    arguments: text,
    status: itemStatus,
  }),
  z.object({ type: z.literal('function_call_output'), id: text, call_id: text, output: text, status: itemStatus }),
  z.object({
    type: z.literal('reasoning'),
    id: text,
    summary: z.array(part),
    content: z.array(part).optional(),
    encrypted_content: text.optional(),
  }),
  z.object({ type: z.literal('compaction'), id: text, encrypted_content: text }),
]);

const usage = z.object({
  input_tokens: int,
  output_tokens: int,
  total_tokens: int,
  input_tokens_details: z.object({ cached_tokens: int }),
  output_tokens_details: z.object({ reasoning_tokens: int }),
});

const named = z.object({ type: z.literal('function'), name: text.optional() });

const response = z.object({
  id: text,
  object: z.literal('response'),
  created_at: int,
  completed_at: nullable(int),
  status: text,
  incomplete_details: nullable(z.object({ reason: text })),
  model: text,
  previous_response_id: nullable(text),
  instructions: nullable(text),
  output: z.array(item),
  error: nullable(z.object({ code: text, message: text })),
  tools: z.array(
    z.object({
      type: z.literal('function'),
      name: text,
      description: nullable(text),
      parameters: nullable(z.record(text, z.unknown())),
      strict: nullable(z.boolean()),
    }),
  ),
  tool_choice: z.union([
    z.enum(['none', 'auto', 'required']),
    named,
    z.object({ type: z.literal('allowed_tools'), tools: z.array(named), mode: z.enum(['none', 'auto', 'required']) }),
  ]),
  truncation: z.enum(['auto', 'disabled']),
  parallel_tool_calls: z.boolean(),
  text: z.object({ format: z.object({ type: z.enum(['text', 'json_object', 'json_schema']) }) }),
  top_p: z.number(),
  presence_penalty: z.number(),
  frequency_penalty: z.number(),
  top_logprobs: int,
  temperature: z.number(),
  reasoning: nullable(z.object({ effort: nullable(text), summary: nullable(text) })),
  usage: nullable(usage),
  max_output_tokens: nullable(int),
  max_tool_calls: nullable(int),
  store: z.boolean(),
  background: z.boolean(),
  service_tier: text,
  metadata: z.record(text, text),
  safety_identifier: nullable(text),
  prompt_cache_key: nullable(text),
});

const ofItem = { item_id: text, output_index: int };
const ofPart = { ...ofItem, content_index: int };

const fields: Record<string, z.ZodRawShape> = {
  'response.created': { response },
  'response.in_progress': { response },
  'response.completed': { response },
  'response.incomplete': { response },
  'response.failed': { response },
  'response.output_item.added': { output_index: int, item },
  'response.output_item.done': { output_index: int, item },
  'response.content_part.added': { ...ofPart, part },
  'response.content_part.done': { ...ofPart, part },
  'response.output_text.delta': { ...ofPart, delta: text, logprobs: z.array(logprob).optional() },
  'response.output_text.done': { ...ofPart, text, logprobs: z.array(logprob).optional() },
  // OpenAI's name, which clients know; Open Responses writes `response.reasoning.delta`.
  'response.reasoning_text.delta': { ...ofPart, delta: text },
  'response.reasoning_text.done': { ...ofPart, text },
  'response.function_call_arguments.delta': { ...ofItem, delta: text },
  'response.function_call_arguments.done': { ...ofItem, arguments: text },
};

/** Throws what is missing or wrong. */
export function checkResponse(value: unknown): void {
  response.parse(value);
}

export function checkEvent(value: { readonly type: string }): void {
  const own = fields[value.type];
  if (own === undefined) throw new Error(`${value.type} is no event of Open Responses`);
  z.object({ type: text, sequence_number: int, ...own }).parse(value);
}

import { z } from 'zod';
import { ignored, isEmptyList, ofType, optional, unsupported } from '../fields.ts';
import { contentSchema, type Message } from './blocks.ts';

/** Fields of the Messages API beside `messages`. */

const tool = z.object({
  /** Other types are tools whose schema only Anthropic's models know, or that run on Anthropic's servers. */
  type: optional(z.literal('custom', { error: 'is not supported; only tools with an input_schema are' })),
  name: z.string(),
  description: optional(z.string()),
  input_schema: z.record(z.string(), z.unknown(), { error: ofType('must be a JSON Schema, an object') }),
  input_examples: unsupported(isEmptyList),
  /** Calls fit their schema in any case. */
  strict: ignored(),
  cache_control: ignored(),
  /** All tools are shown to the model from the beginning. */
  defer_loading: ignored(),
  allowed_callers: ignored(),
  eager_input_streaming: ignored(),
});

const disable_parallel_tool_use = optional(z.boolean());

const toolChoice = z.discriminatedUnion('type', [
  z.object({ type: z.literal('auto'), disable_parallel_tool_use }),
  z.object({ type: z.literal('any'), disable_parallel_tool_use }),
  z.object({ type: z.literal('tool'), name: z.string(), disable_parallel_tool_use }),
  z.object({ type: z.literal('none') }),
]);

const thinking = z.object({
  type: z.enum(['enabled', 'adaptive', 'disabled']),
  /** There is no bound for thoughts alone. */
  budget_tokens: ignored(),
  /** Thoughts come whole. */
  display: ignored(),
});

const outputFormat = z.object({ type: z.literal('json_schema'), schema: z.record(z.string(), z.unknown()) });

export const messagesFields = {
  model: optional(z.string()),
  max_tokens: optional(z.number()),
  stream: optional(z.boolean()),
  system: optional(contentSchema),
  stop_sequences: optional(z.array(z.string())),
  temperature: optional(z.number()),
  top_p: optional(z.number()),
  top_k: optional(z.number()),
  tools: optional(z.array(tool)),
  tool_choice: optional(toolChoice),
  thinking: optional(thinking),
  output_config: optional(
    z.object({
      effort: optional(z.enum(['low', 'medium', 'high', 'xhigh', 'max'])),
      format: optional(outputFormat),
      task_budget: unsupported(),
    }),
  ),
  output_format: optional(outputFormat),
  /** Realm's own, as in chats. */
  program: optional(z.string()),
  container: unsupported(),
  tool_format: unsupported(),
  mcp_servers: unsupported(isEmptyList),
  compaction: unsupported(),
  thread: unsupported(),
  metadata: ignored(),
  cache_control: ignored(),
  /** Claude Code sends it. What it would clear is what Anthropic's models were trained without. */
  context_management: ignored(),
  betas: ignored(),
  billing_policy: ignored(),
  diagnostics: ignored(),
  fallbacks: ignored(),
  fallback_credit_token: ignored(),
  inference_geo: ignored(),
  service_tier: ignored(),
  speed: ignored(),
};

export type MessagesRequest = z.output<z.ZodObject<typeof messagesFields>> & { readonly messages: readonly Message[] };

import { z } from 'zod';
import { type Chat, chatDocument } from '../llm/prompt.ts';
import { injected } from '../output-format/tool-prompt.ts';
import { messagesSchema } from './chat-message.ts';
import {
  type GenerationBody,
  ignored,
  isEmptyList,
  maxTokens,
  optional,
  sharedFields,
  toBody,
  topLogprobs,
  unsupported,
} from './fields.ts';
import { refusedFields } from './refused-fields.ts';
import { structuredFields, toContentSource } from './structured-output.ts';
import { toolFields, toToolUse } from './tool-fields.ts';

/** The messages, the tools, and what vLLM calls the options of the template. */
export function chatFields(limits: { messages: number }) {
  return {
    messages: messagesSchema(limits.messages),
    ...toolFields,
    tool_format: optional(z.enum(Object.keys(injected))),
    reasoning_effort: optional(z.string().max(64)),
    chat_template_kwargs: optional(z.record(z.string(), z.unknown())),
    add_generation_prompt: optional(z.boolean()),
    continue_final_message: optional(z.boolean()),
  };
}

type ChatFields = z.output<z.ZodObject<ReturnType<typeof chatFields>>>;

/** A model that may call none hears of no tools. */
export function toChat(fields: ChatFields): Chat {
  return {
    messages: fields.messages,
    tools: fields.tools?.length && fields.tool_choice !== 'none' ? fields.tools : undefined,
    toolFormat: fields.tool_format,
    reasoningEffort: fields.reasoning_effort,
    addGenerationPrompt: fields.add_generation_prompt,
    continueFinalMessage: fields.continue_final_message,
    variables: fields.chat_template_kwargs,
  };
}

const isTextOnly = (value: unknown) => Array.isArray(value) && value.every(part => part === 'text');
const isOff = (value: unknown) => value === 'none' || value === 'auto';

/** `POST /v1/chat/completions`: https://platform.openai.com/docs/api-reference/chat/create */
export function chatSchema(limits: { messages: number }): z.ZodType<GenerationBody> {
  const fields = z.object({
    ...sharedFields,
    ...chatFields(limits),
    ...structuredFields,
    ...refusedFields,
    max_completion_tokens: optional(maxTokens),
    /** As in the Responses API. */
    truncation: optional(z.enum(['auto', 'disabled'])),
    logprobs: optional(z.boolean()),
    /** A stream has what programs emit beside their answer, as chunks `realm.event`. */
    events: optional(z.boolean()),
    top_logprobs: optional(topLogprobs),
    functions: unsupported(isEmptyList),
    function_call: unsupported(isOff),
    modalities: unsupported(isTextOnly),
    audio: unsupported(),
    prediction: unsupported(),
    verbosity: unsupported(value => value === 'medium'),
    web_search_options: unsupported(),
    moderation: unsupported(),
    // Of vLLM and llama-server, for chats alone.
    echo: unsupported(value => value === false),
    chat_template: unsupported(),
    documents: unsupported(isEmptyList),
    include_reasoning: unsupported(value => value === true),
    separate_reasoning: unsupported(value => value === true),
    reasoning_format: unsupported(value => value === 'auto' || value === 'deepseek'),
    parse_tool_calls: unsupported(value => value === true),
    metadata: ignored(),
    store: ignored(),
    service_tier: ignored(),
    safety_identifier: ignored(),
    prompt_cache_key: ignored(),
    prompt_cache_options: ignored(),
    prompt_cache_retention: ignored(),
  });
  return fields
    .refine(body => !body.top_logprobs || body.logprobs === true, {
      path: ['top_logprobs'],
      error: 'needs logprobs: true',
    })
    .transform((body, context) => {
      const refuse = (path: (string | number)[], message: string) =>
        context.addIssue({ code: 'custom', path, message });
      return toBody(body, {
        kind: 'chat',
        prompts: [chatDocument(toChat(body))],
        tools: toToolUse(body, refuse),
        truncate: body.truncation === 'auto',
        events: body.events === true && body.stream === true,
        toolFormat: body.tool_format,
        constraint: toContentSource(body, refuse),
        maxTokens: body.max_completion_tokens ?? body.max_tokens ?? body.n_predict,
        topLogprobs: body.logprobs === true ? (body.top_logprobs ?? 0) : undefined,
      });
    });
}

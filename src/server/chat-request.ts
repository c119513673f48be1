import { z } from 'zod';
import {
  isEmptyList,
  maxTokens,
  optional,
  type Settings,
  sharedFields,
  topLogprobs,
  toSettings,
  unsupported,
} from './fields.ts';
import type { Chat } from './prompt.ts';

/** `POST /v1/chat/completions`: https://platform.openai.com/docs/api-reference/chat/create */
export interface ChatRequest {
  readonly model: string | undefined;
  readonly chat: Chat;
  readonly settings: Settings;
}

const textPart = z.object({
  type: z.literal('text', { error: 'must be "text"; other parts are not supported' }),
  text: z.string(),
});

/** A string, or text parts that are joined. */
const content = z
  .unknown()
  .transform(value => (typeof value === 'string' ? [{ type: 'text', text: value }] : value))
  .pipe(
    z.array(textPart, {
      error: issue => (issue.input === undefined ? 'is required' : 'must be a string or a list of text parts'),
    }),
  )
  .transform(parts => parts.map(part => part.text).join(''));

const role = z
  .enum(['system', 'developer', 'user', 'assistant'])
  .transform(name => (name === 'developer' ? 'system' : name));

const message = z.object({
  role,
  content,
  name: optional(z.string()),
  tool_calls: unsupported(isEmptyList),
  function_call: unsupported(),
  audio: unsupported(),
});

/** At least one message, at most `most`. */
function messagesSchema(most: number) {
  const list = z.array(message).min(1).max(most);
  return list.transform(messages =>
    messages.map(({ role, content, name }) => (name === undefined ? { role, content } : { role, content, name })),
  );
}

/** The messages and what vLLM calls the options of the template. */
export function chatFields(limits: { messages: number }) {
  return {
    messages: messagesSchema(limits.messages),
    chat_template_kwargs: optional(z.record(z.string(), z.unknown())),
    add_generation_prompt: optional(z.boolean()),
    continue_final_message: optional(z.boolean()),
  };
}

type ChatFields = z.output<z.ZodObject<ReturnType<typeof chatFields>>>;

export function toChat(fields: ChatFields): Chat {
  return {
    messages: fields.messages,
    addGenerationPrompt: fields.add_generation_prompt,
    continueFinalMessage: fields.continue_final_message,
    variables: fields.chat_template_kwargs,
  };
}

const isText = (value: unknown) => (value as { type?: unknown }).type === 'text';
const isTextOnly = (value: unknown) => Array.isArray(value) && value.every(part => part === 'text');
const isOff = (value: unknown) => value === 'none' || value === 'auto';

export function chatSchema(limits: { messages: number }): z.ZodType<ChatRequest> {
  const fields = z.object({
    ...sharedFields,
    ...chatFields(limits),
    max_completion_tokens: optional(maxTokens),
    logprobs: optional(z.boolean()),
    top_logprobs: optional(topLogprobs),
    tools: unsupported(isEmptyList),
    tool_choice: unsupported(isOff),
    functions: unsupported(isEmptyList),
    function_call: unsupported(isOff),
    response_format: unsupported(isText),
    modalities: unsupported(isTextOnly),
    audio: unsupported(),
    prediction: unsupported(),
    web_search_options: unsupported(),
  });
  return fields
    .refine(body => !body.top_logprobs || body.logprobs === true, {
      path: ['top_logprobs'],
      error: 'needs logprobs: true',
    })
    .transform(body => ({
      model: body.model,
      chat: toChat(body),
      settings: {
        ...toSettings(body),
        maxTokens: body.max_completion_tokens ?? body.max_tokens,
        topLogprobs: body.logprobs === true ? (body.top_logprobs ?? 0) : undefined,
      },
    }));
}

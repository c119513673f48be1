import { z } from 'zod';
import type { ChatMessage } from '../tokenizer/types.ts';
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

/** `POST /v1/chat/completions`: https://platform.openai.com/docs/api-reference/chat/create */
export interface ChatRequest {
  readonly model: string | undefined;
  readonly messages: readonly ChatMessage[];
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
export function messagesSchema(most: number) {
  const list = z.array(message).min(1).max(most);
  return list.transform(messages =>
    messages.map(({ role, content, name }) => (name === undefined ? { role, content } : { role, content, name })),
  );
}

const isText = (value: unknown) => (value as { type?: unknown }).type === 'text';
const isTextOnly = (value: unknown) => Array.isArray(value) && value.every(part => part === 'text');
const isOff = (value: unknown) => value === 'none' || value === 'auto';

export function chatSchema(limits: { messages: number }): z.ZodType<ChatRequest> {
  const fields = z.object({
    ...sharedFields,
    messages: messagesSchema(limits.messages),
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
      messages: body.messages,
      settings: {
        ...toSettings(body),
        maxTokens: body.max_completion_tokens ?? body.max_tokens,
        topLogprobs: body.logprobs === true ? (body.top_logprobs ?? 0) : undefined,
      },
    }));
}

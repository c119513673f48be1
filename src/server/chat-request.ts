import { z } from 'zod';
import { type Chat, chatDocument } from '../llm/prompt.ts';
import {
  type GenerationBody,
  isEmptyList,
  maxTokens,
  optional,
  sharedFields,
  toBody,
  topLogprobs,
  unsupported,
} from './fields.ts';

/** A string, or text parts that are joined; of wrong parts the first is named, there may be very many. */
const content = z.unknown().transform((value, context): string => {
  if (typeof value === 'string') return value;
  const refuse = (message: string, ...path: (string | number)[]) => {
    context.addIssue({ code: 'custom', message, path });
    return z.NEVER;
  };
  if (value === undefined) return refuse('is required');
  if (!Array.isArray(value)) return refuse('must be a string or a list of text parts');
  const wrong = value.findIndex(part => part?.type !== 'text' || typeof part.text !== 'string');
  if (wrong < 0) return value.map(part => part.text).join('');
  const part: { type?: unknown; text?: unknown } | null = value[wrong];
  if (typeof part !== 'object' || part === null) return refuse('must be an object', wrong);
  if (part.type !== 'text') return refuse('must be "text"; other parts are not supported', wrong, 'type');
  return refuse(part.text === undefined ? 'is required' : 'must be a string', wrong, 'text');
});

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

/** At least one message, at most `most`. They are counted before any of them is looked at. */
function messagesSchema(most: number) {
  const list = z.array(z.unknown()).min(1).max(most).pipe(z.array(message));
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

/** `POST /v1/chat/completions`: https://platform.openai.com/docs/api-reference/chat/create */
export function chatSchema(limits: { messages: number }): z.ZodType<GenerationBody> {
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
    .transform(body =>
      toBody(body, {
        kind: 'chat',
        prompts: [chatDocument(toChat(body))],
        maxTokens: body.max_completion_tokens ?? body.max_tokens,
        topLogprobs: body.logprobs === true ? (body.top_logprobs ?? 0) : undefined,
      }),
    );
}

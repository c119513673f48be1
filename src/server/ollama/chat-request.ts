import { z } from 'zod';
import { optional } from '../fields.ts';
import type { Translated } from '../translated.ts';
import { answerFields, noImages, toChatFields, toShared } from './options.ts';

/** Arguments of calls are objects here, and have no ids of their own. */
const toolCall = z.object({
  id: optional(z.string()),
  function: z.object({ name: z.string(), arguments: optional(z.record(z.string(), z.unknown())) }),
});

const message = z
  .object({
    role: z.string(),
    content: optional(z.string()),
    thinking: optional(z.string()),
    images: noImages,
    tool_calls: optional(z.array(toolCall)),
    tool_name: optional(z.string()),
    tool_call_id: optional(z.string()),
  })
  .transform(({ role, content, thinking, tool_calls: calls = [], tool_name, tool_call_id }) => ({
    role,
    content: content ?? '',
    reasoning_content: thinking === '' ? undefined : thinking,
    tool_calls: calls.map(toChatCall),
    name: tool_name,
    tool_call_id,
  }));

function toChatCall({ id, function: { name, arguments: given } }: z.output<typeof toolCall>, index: number): object {
  return { id: id ?? `call_${index}`, type: 'function', function: { name, arguments: JSON.stringify(given ?? {}) } };
}

/** `POST /api/chat`. Without messages it asks for the model to be loaded. */
export function ollamaChatSchema(limits: { messages: number }) {
  return z
    .object({
      ...answerFields,
      messages: optional(z.array(z.unknown()).max(limits.messages).pipe(z.array(message))),
      tools: optional(z.array(z.unknown())),
      truncate: optional(z.boolean()),
    })
    .transform(({ messages = [], tools, ...fields }): Translated<'chat' | 'ollamaLoad'> => {
      const { model, keep_alive } = fields;
      if (messages.length === 0) return { form: 'ollamaLoad', body: { model, keep_alive } };
      return { form: 'chat', body: { ...toShared(fields), ...toChatFields(fields), messages, tools } };
    });
}

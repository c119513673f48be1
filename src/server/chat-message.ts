import { z } from 'zod';
import type { ChatMessage } from '../tokenizer/types.ts';
import { optional, unsupported } from './fields.ts';
import { refuseMedia } from './media.ts';

/** Messages of a chat as Chat Completions has them, and what templates get of them. */

/** The kinds of parts that are text, and the field in which they have it. */
const textParts: Readonly<Record<string, string>> = { text: 'text', refusal: 'refusal' };

/** A string, or text parts that are joined; of wrong parts the first is named, there may be very many. Null and absence are told apart later. */
const content = z
  .unknown()
  .optional()
  .transform((value, context): string | undefined => {
    if (typeof value === 'string') return value;
    if (value === undefined || value === null) return undefined;
    const refuse = (message: string, ...path: (string | number)[]) => {
      context.addIssue({ code: 'custom', message, path });
      return z.NEVER;
    };
    if (!Array.isArray(value)) return refuse('must be a string or a list of text parts');
    if (refuseMedia(value, context, 'text')) return z.NEVER;
    const wrong = value.findIndex(part => textOf(part) === undefined);
    if (wrong < 0) return value.map(textOf).join('');
    const part: unknown = value[wrong];
    if (typeof part !== 'object' || part === null) return refuse('must be an object', wrong);
    const field = textParts[(part as { type?: string }).type ?? ''];
    if (field === undefined) return refuse('must be "text"; other parts are not supported', wrong, 'type');
    return refuse(field in part ? 'must be a string' : 'is required', wrong, field);
  });

function textOf(part: unknown): string | undefined {
  if (typeof part !== 'object' || part === null) return undefined;
  const field = textParts[(part as { type?: string }).type ?? ''];
  const text = field === undefined ? undefined : (part as Record<string, unknown>)[field];
  return typeof text === 'string' ? text : undefined;
}

/** A call in a history. It may have a name or arguments that no schema allows: the template gets what was sent. */
const toolCall = z.object({
  id: optional(z.string()),
  type: optional(z.literal('function')),
  function: z.object({
    name: z.string(),
    arguments: z
      .union([z.string(), z.record(z.string(), z.unknown())], { error: 'must be JSON text' })
      .nullish()
      .transform(given => (typeof given === 'string' ? given : JSON.stringify(given ?? {}))),
  }),
});

const fields = z.object({
  role: z.enum(['system', 'developer', 'user', 'assistant', 'tool']),
  content,
  name: optional(z.string()),
  tool_call_id: optional(z.string()),
  tool_calls: optional(z.array(toolCall)),
  reasoning_content: optional(z.string()),
  /** As other servers call the same. */
  reasoning: optional(z.string()),
  refusal: optional(z.string()),
  function_call: unsupported(),
  audio: unsupported(),
});

const message = fields
  .refine(({ role, content }) => content !== undefined || role === 'assistant', {
    path: ['content'],
    error: 'is required',
  })
  .transform(toMessage);

type Fields = z.output<typeof fields>;

/** Only what was said, so that a template which asks whether a field is there is told the truth. */
function toMessage({ role, content, refusal, reasoning, ...fields }: Fields): ChatMessage {
  const { name, tool_call_id, tool_calls, reasoning_content = reasoning } = fields;
  return {
    role: role === 'developer' ? 'system' : role,
    content: content ?? refusal ?? '',
    ...(name !== undefined && { name }),
    ...(tool_call_id !== undefined && { tool_call_id }),
    ...(reasoning_content !== undefined && { reasoning_content }),
    ...(tool_calls !== undefined &&
      tool_calls.length > 0 && { tool_calls: tool_calls.map(call => ({ ...call, type: 'function' })) }),
  };
}

/** At least one message, at most `most`. They are counted before any of them is looked at. */
export function messagesSchema(most: number) {
  return z.array(z.unknown()).min(1).max(most).pipe(z.array(message));
}

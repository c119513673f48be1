import { z } from 'zod';
import { chatDocument } from '../llm/prompt.ts';
import { chatFields, toChat } from './chat-request.ts';
import { optional, tokenList } from './fields.ts';

/** llama-server's fields and defaults, and vLLM's. */
export const tokenizeSchema = z
  .object({
    model: optional(z.string()),
    content: optional(z.string()),
    prompt: optional(z.string()),
    add_special: optional(z.boolean()),
    add_special_tokens: optional(z.boolean()),
    parse_special: optional(z.boolean()),
    with_pieces: optional(z.boolean()),
  })
  .transform((body, context) => {
    const text = body.content ?? body.prompt;
    if (text === undefined) context.addIssue({ code: 'custom', path: ['content'], message: 'is required' });
    return {
      model: body.model,
      text: text ?? '',
      // vLLM begins a prompt as the model wants it.
      addSpecial: body.add_special ?? body.add_special_tokens ?? body.content === undefined,
      parseSpecial: body.parse_special ?? true,
      pieces: body.with_pieces ?? false,
    };
  });

export const detokenizeSchema = z.object({ model: optional(z.string()), tokens: tokenList });

export function applyTemplateSchema(limits: { messages: number }) {
  return z
    .object({ model: optional(z.string()), ...chatFields(limits) })
    .transform(({ model, ...chat }) => ({ model, document: chatDocument(toChat(chat)) }));
}

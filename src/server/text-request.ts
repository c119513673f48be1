import { z } from 'zod';
import { chatDocument } from '../llm/prompt.ts';
import { chatFields, toChat } from './chat-request.ts';
import { optional, tokenList } from './fields.ts';

/** llama-server's fields and defaults. */
export const tokenizeSchema = z
  .object({
    model: optional(z.string()),
    content: z.string(),
    add_special: optional(z.boolean()),
    parse_special: optional(z.boolean()),
    with_pieces: optional(z.boolean()),
  })
  .transform(body => ({
    model: body.model,
    text: body.content,
    addSpecial: body.add_special ?? false,
    parseSpecial: body.parse_special ?? true,
    pieces: body.with_pieces ?? false,
  }));

export const detokenizeSchema = z.object({ model: optional(z.string()), tokens: tokenList });

export function applyTemplateSchema(limits: { messages: number }) {
  return z
    .object({ model: optional(z.string()), ...chatFields(limits) })
    .transform(({ model, ...chat }) => ({ model, document: chatDocument(toChat(chat)) }));
}

import { z } from 'zod';
import type { Token, Tokenizer } from '../../tokenizer/types.ts';
import { readBody } from '../body.ts';
import { optional } from '../fields.ts';
import type { Route } from '../route.ts';
import { findModel } from '../services.ts';

/** llama-server's fields and defaults. */
const schema = z.object({
  model: optional(z.string()),
  content: z.string(),
  add_special: optional(z.boolean()),
  parse_special: optional(z.boolean()),
  with_pieces: optional(z.boolean()),
});

export const tokenizeRoute: Route = {
  method: 'POST',
  path: '/tokenize',
  async handle(context) {
    const body = await readBody(context.req, schema);
    const { services, tenant } = context.var;
    const { tokenizer } = findModel(services, tenant, body.model).model;
    const tokens = tokenizer.encode(body.content, {
      addSpecial: body.add_special ?? false,
      parseSpecial: body.parse_special ?? true,
    });
    return context.json({
      tokens: body.with_pieces ? tokens.map(id => ({ id, piece: piece(tokenizer, id) })) : tokens,
    });
  },
};

/** The token's text, or its bytes when they are no whole characters. */
function piece(tokenizer: Tokenizer, token: Token): string | number[] {
  const bytes = tokenizer.bytes(token, { special: true });
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return [...bytes];
  }
}

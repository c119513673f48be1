import { z } from 'zod';
import { readBody } from '../body.ts';
import { messagesSchema } from '../chat-request.ts';
import { optional } from '../fields.ts';
import { renderChat } from '../prompt.ts';
import type { Route } from '../route.ts';
import { findModel } from '../services.ts';

/** The text that a chat request with these messages would give to the model. */
export const applyTemplateRoute: Route = {
  method: 'POST',
  path: '/apply-template',
  async handle(context) {
    const { services, tenant } = context.var;
    const schema = z.object({ model: optional(z.string()), messages: messagesSchema(services.limits.messages) });
    const { model, messages } = await readBody(context.req, schema);
    return context.json({ prompt: renderChat(findModel(services, tenant, model).model, messages) });
  },
};

import { readBody } from '../body.ts';
import { chatSchema } from '../chat-request.ts';
import { chatFormat } from '../format.ts';
import { chatDocument } from '../prompt.ts';
import { respond } from '../respond.ts';
import type { Route } from '../route.ts';

export const chatRoute: Route = {
  method: 'POST',
  path: '/v1/chat/completions',
  async handle(context) {
    const { model, chat, settings } = await readBody(context.req, chatSchema(context.var.services.limits));
    const prompts = [chatDocument(chat)];
    return respond(context, chatFormat, { model, kind: 'chat', prompts, settings });
  },
};

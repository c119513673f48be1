import { readBody } from '../body.ts';
import { chatFormat } from '../format.ts';
import { respond } from '../respond.ts';
import type { Route } from '../route.ts';

export const chatRoute: Route = {
  method: 'POST',
  path: '/v1/chat/completions',
  summary: 'An answer in a chat',
  body: 'chat',
  inference: true,
  async handle(context) {
    return respond(context, chatFormat, await readBody(context, 'chat'));
  },
};

import { RealmError } from '../../errors.ts';
import { readBody } from '../body.ts';
import { inWordsOfResponses } from '../responses/chat-body.ts';
import { compact } from '../responses/compact.ts';
import { respondAsResponse } from '../responses/respond.ts';
import { ResponsesTalk } from '../responses/talk.ts';
import type { Route } from '../route.ts';

export const responsesRoute: Route = {
  method: 'POST',
  path: '/v1/responses',
  summary: 'A response',
  body: 'responses',
  inference: true,
  async handle(context) {
    return respondAsResponse(context, await readBody(context, 'responses'));
  },
};

/** Whoever gets this answer may have a WebSocket on which each message is a request. */
export const responsesSocketRoute: Route = {
  method: 'GET',
  path: '/v1/responses',
  summary: 'Responses over WebSocket',
  handle(context) {
    const upgrade = context.env?.upgrade;
    if (!upgrade)
      throw new RealmError('upgrade_required', 'Send a POST, or ask for a WebSocket with upgrade: websocket');
    upgrade.agree(link => new ResponsesTalk(link), context.var.tenant.id);
    return context.body(null, 200, { upgrade: 'websocket' });
  },
};

export const compactRoute: Route = {
  method: 'POST',
  path: '/v1/responses/compact',
  summary: 'A conversation in short',
  body: 'compact',
  inference: true,
  async handle(context) {
    return compact(context, await readBody(context, 'compact')).catch(error => {
      throw inWordsOfResponses(error);
    });
  },
};

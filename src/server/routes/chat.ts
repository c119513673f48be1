import { readBody } from '../body.ts';
import { chatFormat } from '../format.ts';
import { pipelineOf, respondWithPipeline } from '../pipelines/chat.ts';
import { respond } from '../respond.ts';
import type { Route } from '../route.ts';

export const chatRoute: Route = {
  method: 'POST',
  path: '/v1/chat/completions',
  summary: 'An answer in a chat',
  body: 'chat',
  inference: true,
  async handle(context) {
    const body = await readBody(context, 'chat');
    const pipeline = pipelineOf(body);
    if (pipeline !== undefined) return respondWithPipeline(context, pipeline, body);
    return respond(context, chatFormat, body);
  },
};

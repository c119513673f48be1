import { readBody } from '../body.ts';
import { completionFormat } from '../format.ts';
import { respond } from '../respond.ts';
import type { Route } from '../route.ts';

export const completionsRoute: Route = {
  method: 'POST',
  path: '/v1/completions',
  summary: 'How a text goes on',
  body: 'completion',
  inference: true,
  async handle(context) {
    return respond(context, completionFormat, await readBody(context, 'completion'));
  },
};

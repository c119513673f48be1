import type { RealmError } from '../../errors.ts';
import { answer } from '../answer.ts';
import { readBody } from '../body.ts';
import { reportError } from '../errors.ts';
import { createJob } from '../job.ts';
import { messageWriter, wholeMessage } from '../messages/answer.ts';
import type { Route } from '../route.ts';
import { takeModel } from '../services.ts';
import { streamResponse } from '../sse.ts';

/** Anthropic's Messages API. */
export const messagesRoute: Route = {
  method: 'POST',
  path: '/v1/messages',
  summary: "An answer in a chat, in the shape of Anthropic's Messages API",
  body: 'messages',
  inference: true,
  async handle(context) {
    const { services, exchange, tenant } = context.var;
    const job = createJob(services, exchange, tenant, await readBody(context, 'messages'));
    const events = answer(services, exchange, job);
    // Anthropic's name of the header that all answers have.
    context.header('request-id', exchange.id);
    if (!job.stream) return context.json(await wholeMessage(exchange, job, events));
    const report = (error: RealmError) => reportError(services, exchange, error);
    return streamResponse(exchange, events, messageWriter(exchange, job), report, services.http.heartbeatMs);
  },
};

/** What a request would have as its prompt, if the tenant's program leaves it as it is. */
export const countTokensRoute: Route = {
  method: 'POST',
  path: '/v1/messages/count_tokens',
  summary: "The tokens of a prompt of Anthropic's Messages API",
  body: 'messages',
  async handle(context) {
    const { services, exchange, tenant } = context.var;
    const { model: name, kind, prompts } = await readBody(context, 'messages');
    const { model } = await takeModel(services, exchange, tenant, name);
    const call = { owner: tenant, model, signal: exchange.signal };
    // A prompt that is too long is counted too: its sender asks because he wants to know.
    const options = { context: Number.POSITIVE_INFINITY, parseSpecial: tenant.parseSpecial };
    const { tokens } = await services.text.run('prompt', call, { kind, text: prompts[0]!, ...options });
    return context.json({ input_tokens: tokens.length });
  },
};

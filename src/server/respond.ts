import type { RealmError } from '../errors.ts';
import { answer } from './answer.ts';
import type { ChoiceEvent } from './choice.ts';
import { reportError } from './errors.ts';
import type { GenerationBody } from './fields.ts';
import { type Asked, chunkWriter, type Format, whole } from './format.ts';
import { createJob } from './job.ts';
import type { AppContext } from './route.ts';
import { streamResponse } from './sse.ts';

/** Generates what a validated body asks for and answers it, streamed or in one piece. */
export async function respond(context: AppContext, format: Format, body: GenerationBody): Promise<Response> {
  const { services, exchange, tenant } = context.var;
  const job = createJob(services, exchange, tenant, body);
  return respondWith(context, format, job, answer(services, exchange, job));
}

/** Answers with these events. */
export async function respondWith(
  context: AppContext,
  format: Format,
  job: Asked & Pick<GenerationBody, 'stream'>,
  events: AsyncGenerator<ChoiceEvent>,
): Promise<Response> {
  const { services, exchange } = context.var;
  if (!job.stream) return context.json(await whole(format, exchange, job, events));
  const report = (error: RealmError) => reportError(services, exchange, error);
  return streamResponse(exchange, events, chunkWriter(format, exchange, job), report, services.http.heartbeatMs);
}

import type { RealmError } from '../errors.ts';
import { answer } from './answer.ts';
import { reportError } from './errors.ts';
import type { GenerationBody } from './fields.ts';
import { chunkWriter, type Format, whole } from './format.ts';
import { createJob } from './job.ts';
import type { AppContext } from './route.ts';
import { streamResponse } from './sse.ts';

/** Generates what a validated body asks for and answers it, streamed or in one piece. */
export async function respond(context: AppContext, format: Format, body: GenerationBody): Promise<Response> {
  const { services, exchange, tenant } = context.var;
  const job = createJob(services, exchange, tenant, body);
  const events = answer(services, exchange, job);
  if (!job.stream) return context.json(await whole(format, exchange, job, events));
  const report = (error: RealmError) => reportError(services, exchange, error);
  return streamResponse(exchange, events, chunkWriter(format, exchange, job), report, services.http.heartbeatMs);
}

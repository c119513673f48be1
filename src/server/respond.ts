import type { RealmError } from '../errors.ts';
import { answer, createJob } from './answer.ts';
import { reportError } from './errors.ts';
import type { Settings } from './fields.ts';
import { chunks, type Format, whole } from './format.ts';
import type { AppContext } from './route.ts';
import { streamResponse } from './sse.ts';

/** Generates what a validated request asks for and answers it, streamed or in one piece. */
export async function respond(
  context: AppContext,
  format: Format,
  request: { model: string | undefined; kind: 'chat' | 'completion'; prompts: readonly string[]; settings: Settings },
): Promise<Response> {
  const { services, exchange, tenant } = context.var;
  const job = createJob(services, exchange, { tenant, ...request });
  const events = answer(services, exchange, job);
  if (!job.settings.stream) return context.json(await whole(format, exchange, job, events));
  const report = (error: RealmError) => reportError(services, exchange, error);
  return streamResponse(exchange, chunks(format, exchange, job, events), report, services.http.heartbeatMs);
}

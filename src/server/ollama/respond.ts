import type { RealmError } from '../../errors.ts';
import { answer } from '../answer.ts';
import { reportError } from '../errors.ts';
import type { GenerationBody } from '../fields.ts';
import { createJob } from '../job.ts';
import type { AppContext } from '../route.ts';
import { streamResponse } from '../sse.ts';
import { ollamaWriter, type Shape, wholeOllama } from './answer.ts';
import { findLocal, loaded, localName } from './models.ts';

/** Generates what a validated body asks for, or says that its model is loaded. */
export async function respondAsOllama(
  context: AppContext,
  shape: Shape,
  body: GenerationBody | { readonly model: string | undefined; readonly load: boolean },
): Promise<Response> {
  const { services, exchange, tenant } = context.var;
  if ('load' in body)
    return context.json(loaded(findLocal(services, tenant, body.model), body.load, shape({ content: '' })));
  const job = createJob(services, exchange, tenant, { ...body, model: localName(services, tenant, body.model) });
  const events = answer(services, exchange, job);
  if (!job.stream) return context.json(await wholeOllama(shape, exchange, job, events));
  const report = (error: RealmError) => reportError(services, exchange, error);
  return streamResponse(exchange, events, ollamaWriter(shape, exchange, job), report, services.http.heartbeatMs);
}

import { RealmError } from '../../errors.ts';
import { answer } from '../answer.ts';
import { credentials } from '../credentials.ts';
import { reportError } from '../errors.ts';
import type { GenerationBody } from '../fields.ts';
import { createJob } from '../job.ts';
import type { AppContext } from '../route.ts';
import { holdModel, type NamedModel } from '../services.ts';
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
  if ('load' in body) {
    const named = findLocal(services, tenant, body.model);
    if (body.load) await holdModel(services, exchange, tenant, named.slot);
    else await unload(context, named);
    return context.json(loaded(named, body.load, shape({ content: '' })));
  }
  const job = createJob(services, exchange, tenant, { ...body, model: localName(services, tenant, body.model) });
  const events = answer(services, exchange, job);
  if (!job.stream) return context.json(await wholeOllama(shape, exchange, job, events));
  const report = (error: RealmError) => reportError(services, exchange, error);
  return streamResponse(exchange, events, ollamaWriter(shape, exchange, job), report, services.http.heartbeatMs);
}

/** For the operator: a tenant's wish would be every other tenant's wait. */
async function unload({ req, var: { services } }: AppContext, { slot }: NamedModel): Promise<void> {
  try {
    services.authorizeAdmin(credentials(req.raw.headers));
  } catch (cause) {
    const message = 'keep_alive: 0 unloads the model, which is for whoever runs the server; leave it out';
    throw new RealmError('permission_denied', message, { param: 'keep_alive', cause });
  }
  await services.models.unload(slot);
}

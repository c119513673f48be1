import { RealmError } from '../errors.ts';
import { toolFormatOf } from '../llm/answer-constraint.ts';
import { withToolFormat } from '../llm/output-format.ts';
import type { Program } from '../sandbox/types.ts';
import type { Tenant } from '../tenancy/tenants.ts';
import type { Asking } from './exchange.ts';
import type { GenerationBody } from './fields.ts';
import { findModel, type HeldModel, holdModel, type NamedModel, type Services } from './services.ts';

/** A validated body, with whose it is and for which model. */
export interface Job extends NamedModel, Omit<GenerationBody, 'model' | 'program'> {
  readonly tenant: Tenant;
  /** In the version that was current when the request came. */
  readonly program: Program | Promise<Program>;
}

/** The same when its model and its program are loaded. */
export type HeldJob = Omit<Job, 'program'> & HeldModel & { readonly program: Program };

/** Checks what needs the server's limits, and notes in the exchange for which model it is. */
export function createJob(services: Services, exchange: Asking, tenant: Tenant, body: GenerationBody): Job {
  const named = findModel(services, tenant, body.model);
  const { choices } = services.limits;
  if (body.n * body.prompts.length > choices) {
    throw new RealmError('invalid_request', `n: is too large; one request gets at most ${choices} answers`, {
      param: 'n',
    });
  }
  checkSessions(services, body);
  exchange.model = named.slot.id;
  const program = services.programOf(tenant, body.program);
  // Whoever waits for it hears of it.
  if (program instanceof Promise) program.catch(() => {});
  return { ...body, ...named, tenant, program };
}

/** Has its model loaded, and checks what only the model knows. */
export async function holdJob(services: Services, exchange: Asking, job: Job): Promise<HeldJob> {
  const model = await holdModel(services, exchange, job.tenant, job.slot);
  if (job.tools) toolFormatOf(withToolFormat(model.format, job.toolFormat));
  return { ...job, model, program: await job.program };
}

function checkSessions({ sessions }: Services, { session, saveSession, n, prompts }: GenerationBody): void {
  if (session !== undefined) sessions.checkEnabled('session');
  if (saveSession === undefined) return;
  sessions.checkEnabled('save_session');
  if (n * prompts.length === 1) return;
  const message = 'save_session: a request for several answers saves none; ask for one';
  throw new RealmError('invalid_request', message, { param: 'save_session' });
}

import { RealmError } from '../../errors.ts';
import type { Exchange } from '../exchange.ts';
import { createJob, type Job } from '../job.ts';
import type { AppContext } from '../route.ts';
import type { Services } from '../services.ts';
import type { ResponsesCall } from './call.ts';
import type { Prepared } from './prepare.ts';
import type { StoredResponse } from './store.ts';
import { ResponseWriter } from './writer.ts';

/** A request that is ready to be answered. */
export interface Turn {
  /** The response's. */
  readonly id: string;
  readonly prepared: Prepared;
  readonly job: Job;
  readonly writer: ResponseWriter;
}

/** Fetches what the request goes on from, and checks all of it. */
export async function beginTurn(context: AppContext, call: ResponsesCall): Promise<Turn> {
  const { services, exchange, tenant } = context.var;
  const { limits } = services;
  const id = exchange.id.replace('req_', 'resp_');
  const { request, previous, references } = call;
  const history = previous === undefined ? undefined : (await findPrevious(context, previous)).context;
  const stored = await findItems(services, tenant.id, references);
  const owner = { owner: tenant, signal: exchange.signal };
  const prepared = await services.text.run('responses', owner, { request, id, history, stored, limits });
  const job = createJob(services, exchange, tenant, prepared.body);
  return { id, prepared, job, writer: writerOf(exchange, id, prepared, job) };
}

async function findPrevious({ env, var: { services, tenant } }: AppContext, id: string): Promise<StoredResponse> {
  const latest = env?.local?.latest;
  const found = latest?.id === id ? latest : await services.responses.store.find(tenant.id, id);
  if (found !== undefined) return found;
  const message =
    'previous_response_id: there is no response of that id: it was not stored, or is kept no longer; send the whole conversation';
  throw new RealmError('previous_response_not_found', message, { param: 'previous_response_id' });
}

async function findItems(
  { responses: { store } }: Services,
  tenant: string,
  ids: readonly string[],
): Promise<[string, string][]> {
  const found = await Promise.all(ids.map(async id => [id, await store.findItem(tenant, id)] as const));
  return found.flatMap(([id, item]): [string, string][] => (item === undefined ? [] : [[id, item]]));
}

function writerOf({ created }: Exchange, id: string, { echo, sealed }: Prepared, { name, model }: Job): ResponseWriter {
  const { temperature = 1, topP = 1 } = model.defaults.sampling ?? {};
  const head = { id, created_at: created, model: name, echo: JSON.parse(echo), defaults: { temperature, top_p: topP } };
  return new ResponseWriter(head, { sealed });
}

/** Keeps the response, as far as it was asked for, and on a connection the last one in any case. */
export async function keep({ env, var: { services, tenant } }: AppContext, turn: Turn): Promise<void> {
  const { id, prepared, writer } = turn;
  if (!prepared.store && env?.local === undefined) return;
  const { response } = writer;
  const stored = {
    id,
    response: JSON.stringify(response),
    input: prepared.input,
    context: joined(prepared.context, JSON.stringify(response.output)),
  };
  if (env?.local !== undefined) env.local.latest = stored;
  if (prepared.store) await services.responses.store.save(tenant.id, stored);
}

/** One JSON list of two. */
function joined(first: string, second: string): string {
  return first === '[]' || second === '[]'
    ? first.slice(0, -1) + second.slice(1)
    : `${first.slice(0, -1)},${second.slice(1)}`;
}

/** After a failure a connection does not remember what the request went on from. */
export function forget({ env }: AppContext, previous: string | undefined): void {
  if (env?.local?.latest !== undefined && env.local.latest.id === previous) env.local.latest = undefined;
}

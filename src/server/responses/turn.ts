import { RealmError } from '../../errors.ts';
import type { Exchange } from '../exchange.ts';
import { createJob, type Job } from '../job.ts';
import type { AppContext } from '../route.ts';
import type { Services } from '../services.ts';
import type { LocalResponses } from './book.ts';
import type { ResponsesCall } from './call.ts';
import type { Prepared } from './prepare.ts';
import type { ResponseStore, StoredResponse } from './store.ts';
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
  const { store, local } = services.responses;
  const here = env?.local && (await local.find(tenant.id, nameOn(env.local, id)));
  const found = here ?? (await store.find(tenant.id, id));
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

function writerOf({ created }: Exchange, id: string, prepared: Prepared, { name, slot }: Job): ResponseWriter {
  const { echo, sealed } = prepared;
  const defaults = slot.defaults.sampling;
  const temperature = prepared.temperature ?? defaults?.temperature ?? 1;
  const top_p = prepared.topP ?? defaults?.topP ?? 1;
  return new ResponseWriter({ id, created_at: created, model: name, temperature, top_p, echo }, { sealed });
}

/** Keeps the response, as far as it was asked for, and on a connection the last one in any case. */
export async function keep(context: AppContext, turn: Turn): Promise<void> {
  const {
    env,
    var: { services, tenant },
  } = context;
  const { store, local } = services.responses;
  const { id, prepared, writer } = turn;
  if (!prepared.store && env?.local === undefined) return;
  const items = writer.output;
  const output = `[${items.map(([, json]) => json).join(',')}]`;
  const { input } = prepared;
  const stored = { id, response: writer.response(), input, context: joined(prepared.context, output), items };
  if (prepared.store) await store.save(tenant.id, stored);
  if (env?.local !== undefined) await keepOn(env.local, local, tenant.id, stored);
}

async function keepOn(connection: LocalResponses, local: ResponseStore, tenant: string, response: StoredResponse) {
  connection.forget?.();
  if (connection.closed) return;
  const id = nameOn(connection, response.id);
  connection.forget = () => void local.remove(tenant, id);
  await local.save(tenant, { ...response, id });
}

/** One JSON list of two. */
function joined(first: string, second: string): string {
  return first === '[]' || second === '[]'
    ? first.slice(0, -1) + second.slice(1)
    : `${first.slice(0, -1)},${second.slice(1)}`;
}

/** The connection remembers the response no longer. */
export async function forget({ env, var: { services, tenant } }: AppContext, id: string | undefined): Promise<void> {
  if (env?.local === undefined || id === undefined) return;
  await services.responses.local.remove(tenant.id, nameOn(env.local, id));
}

/** What a response is called among those of all connections. */
const nameOn = ({ connection }: LocalResponses, id: string): string => `${connection}/${id}`;

import { errorBody, reportError } from '../errors.ts';
import { answer } from '../answer.ts';
import type { Exchange } from '../exchange.ts';
import { createJob, type Job } from '../job.ts';
import { asRealmError, RealmError } from '../../errors.ts';
import type { AppContext } from '../route.ts';
import type { Services } from '../services.ts';
import { streamResponse } from '../sse.ts';
import type { ResponsesCall } from './call.ts';
import { inWordsOfResponses } from './chat-body.ts';
import type { Prepared } from './prepare.ts';
import type { StoredResponse } from './store.ts';
import { TurnWriter } from './turn-writer.ts';
import { ResponseWriter } from './writer.ts';

/** A request that is ready to be answered. */
export interface Turn {
  readonly id: string;
  readonly prepared: Prepared;
  readonly job: Job;
  readonly writer: ResponseWriter;
}

/** Answers a request of the Responses API, streamed or in one piece. */
export async function respondAsResponse(context: AppContext, call: ResponsesCall): Promise<Response> {
  try {
    return await respond(context, await beginTurn(context, call));
  } catch (error) {
    forget(context, call.previous);
    throw inWordsOfResponses(error);
  }
}

async function respond(context: AppContext, turn: Turn): Promise<Response> {
  const { services, exchange } = context.var;
  const { id, prepared, job, writer } = turn;
  const made = prepared.generate ? answer(services, exchange, job) : nothing();
  services.responses.begin(id, { exchange, writer });
  const events = ended(made, () => services.responses.end(id));
  const out = new TurnWriter(turn, exchange, () => keep(context, turn), () => forget(context, turn.job.));
  if (context.env?.local === undefined && !job.stream) {
    for await (const event of events) out.of(event);
    await out.end();
    return context.json(writer.response);
  }
  const report = (error: RealmError) => reportError(services, exchange, error);
  return streamResponse(exchange, events, out, report, services.http.heartbeatMs);
}

import { asRealmError, type RealmError } from '../../errors.ts';
import { answer } from '../answer.ts';
import { errorBody, reportError } from '../errors.ts';
import type { AppContext } from '../route.ts';
import { type StreamWriter, sse, streamResponse } from '../sse.ts';
import { piecesOf } from './answer-pieces.ts';
import type { ResponsesCall } from './call.ts';
import { inWordsOfResponses } from './chat-body.ts';
import { beginTurn, forget, keep, type Turn } from './turn.ts';
import type { ResponseEvent, ResponseWriter } from './writer.ts';

/** Answers a request of the Responses API, streamed or in one piece; over a WebSocket it is always streamed. */
export async function respondAsResponse(context: AppContext, call: ResponsesCall): Promise<Response> {
  try {
    const turn = await beginTurn(context, call);
    const stream = turn.job.stream || context.env?.local !== undefined;
    return await (stream ? streamed(context, turn, call) : whole(context, turn));
  } catch (error) {
    await forget(context, call.previous);
    throw inWordsOfResponses(error);
  }
}

async function whole(context: AppContext, turn: Turn): Promise<Response> {
  const { writer } = turn;
  const out = turnWriter(context, turn);
  for await (const event of eventsOf(context, turn)) out.of(event);
  await out.end();
  return context.body(writer.response(), 200, { 'content-type': 'application/json' });
}

function streamed(context: AppContext, turn: Turn, { previous }: ResponsesCall): Promise<Response> {
  const { services, exchange } = context.var;
  const out = turnWriter(context, turn);
  const failed = async (error: RealmError) => {
    const said = await out.failed(error);
    await forget(context, previous);
    return said;
  };
  const report = (error: RealmError) => reportError(services, exchange, error);
  return streamResponse(exchange, eventsOf(context, turn), { ...out, failed }, report, services.http.heartbeatMs);
}

/** The answer's events; until they end, the response is one that is being made. */
async function* eventsOf(context: AppContext, { id, prepared, job, writer }: Turn): ReturnType<typeof answer> {
  const { services, exchange } = context.var;
  if (!prepared.generate) return;
  services.responses.begin(id, { exchange, writer });
  try {
    yield* answer(services, exchange, job);
  } finally {
    services.responses.end(id);
  }
}

/** The end is told when the response is kept, so that the next request may go on from it. */
function turnWriter(context: AppContext, turn: Turn): StreamWriter {
  const { exchange } = context.var;
  const { writer, prepared } = turn;
  let reason: Parameters<ResponseWriter['end']>[0] = 'stop';
  return {
    ...sse,
    begin: () => framesOf(writer.start()),
    of(event) {
      if (event.kind === 'text') return framesOf([...piecesOf(event)].flatMap(piece => writer.piece(piece)));
      reason = event.reason;
      return '';
    },
    async end() {
      const usage = exchange.usage();
      const events = prepared.generate ? writer.end(reason, usage) : writer.skip(usage);
      await keep(context, turn);
      return framesOf(events) + sse.frame('[DONE]');
    },
    async failed(error) {
      const said = asRealmError(inWordsOfResponses(error));
      const events = writer.fail(errorBody(said, exchange.id).error, exchange.usage());
      await keep(context, turn);
      return framesOf(events) + sse.frame('[DONE]');
    },
  };
}

const framesOf = (events: readonly ResponseEvent[]): string =>
  events.map(event => sse.frame(event.json, event.type)).join('');

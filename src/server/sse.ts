import { asRealmError, RealmError } from '../errors.ts';
import { errorBody } from './errors.ts';
import type { Exchange } from './exchange.ts';

/**
 * Server-sent events from `values`, one a frame, ended by `[DONE]`. Nothing is pulled before the socket takes it.
 * A failure before the first value is thrown, so that it can have a status of its own; a later one is a last frame
 * with the error. When the client leaves, the exchange is cancelled.
 */
export async function streamResponse(
  exchange: Exchange,
  values: AsyncGenerator<object>,
  report: (error: RealmError) => void,
): Promise<Response> {
  const first = await values.next();
  exchange.streaming = true;
  const frames = toFrames(exchange, first, values, report);
  let left = false;
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await frames.next();
        if (left) return;
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        left = true;
        exchange.cancel(new RealmError('request_cancelled', 'The client closed the connection'));
        await frames.return(undefined);
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(body, { headers: streamHeaders });
}

const streamHeaders = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache',
  // Proxies that buffer would hold tokens back.
  'x-accel-buffering': 'no',
};

async function* toFrames(
  exchange: Exchange,
  first: IteratorResult<object>,
  rest: AsyncGenerator<object>,
  report: (error: RealmError) => void,
): AsyncGenerator<Uint8Array> {
  try {
    if (!first.done) yield frame(JSON.stringify(first.value));
    for await (const value of rest) yield frame(JSON.stringify(value));
    yield frame('[DONE]');
  } catch (thrown) {
    const error = asRealmError(thrown);
    exchange.code = error.code;
    report(error);
    yield frame(JSON.stringify(errorBody(error, exchange.id)));
  } finally {
    // Left before the loop began, nothing else would close it.
    await rest.return(undefined);
    exchange.finishStream();
  }
}

const encoder = new TextEncoder();

function frame(data: string): Uint8Array {
  return encoder.encode(`data: ${data}\n\n`);
}

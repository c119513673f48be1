import { asRealmError, RealmError } from '../errors.ts';
import type { ChoiceEvent } from './choice.ts';
import type { Exchange } from './exchange.ts';

/** The text of a stream, as an API writes it. What is empty is not sent. */
export interface StreamWriter<E = ChoiceEvent> {
  /** Its `content-type`. */
  readonly type: string;
  /** What is said with the headers. */
  begin?(): string;
  of(event: E): string;
  /** All choices have ended. */
  end(): string | Promise<string>;
  /** It goes no further. */
  failed(error: RealmError): string | Promise<string>;
  /** Says that the stream lives: what clients skip. Before and between events. */
  readonly sign: string;
}

/** What writers of server-sent events have in common. */
export const sse = {
  type: 'text/event-stream; charset=utf-8',
  sign: ': waiting\n\n',
  /** An event with this data, JSON or what is no object as it stands; `name`: of its kind. */
  frame: (data: object | string, name?: string): string =>
    `${name === undefined ? '' : `event: ${name}\n`}data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`,
};

/**
 * A stream of what the writer makes of the answer's events. Nothing is pulled before the socket takes it. A reader that
 * has waited for `heartbeatMs` gets a sign of life. A failure before the headers are sent is thrown, so that it can have
 * a status of its own; a later one is the writer's last word. When the client leaves, the exchange is cancelled.
 */
export async function streamResponse<E>(
  exchange: Exchange,
  events: AsyncGenerator<E>,
  writer: StreamWriter<E>,
  report: (error: RealmError) => void,
  heartbeatMs: number,
): Promise<Response> {
  const first = events.next();
  await admitted(exchange, first, heartbeatMs);
  exchange.streaming = true;
  const sign = encoder.encode(writer.sign);
  let waiting = false;
  let left = false;
  let controller: ReadableStreamDefaultController<Uint8Array>;
  const beat = () => {
    // One that nobody has taken is enough.
    if (waiting && controller.desiredSize === 0) controller.enqueue(sign);
  };
  const heartbeat = setInterval(beat, heartbeatMs).unref();
  const frames = toFrames(exchange, first, events, writer, report, () => clearInterval(heartbeat));
  // Begun here: a client that leaves before it reads would not end what has not begun.
  let next: Promise<IteratorResult<Uint8Array>> | undefined = frames.next();
  const body = new ReadableStream<Uint8Array>(
    {
      start(its) {
        controller = its;
      },
      async pull() {
        waiting = true;
        const { done, value } = await (next ?? frames.next());
        waiting = false;
        next = undefined;
        if (left) return;
        heartbeat.refresh();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        left = true;
        waiting = false;
        exchange.cancel(new RealmError('request_cancelled', 'The client closed the connection'));
        await frames.return(undefined);
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(body, { headers: { 'content-type': writer.type, ...streamHeaders } });
}

/** Time in which an engine says no: it hears of a request between two steps. */
const refusalMs = 1_000;

/**
 * Waits until the headers can be sent: for the first value, or until the engine has had its time for a refusal, which
 * should have its own status. A program that goes to no engine must not keep a client without a sign of life either.
 */
async function admitted(exchange: Exchange, first: Promise<unknown>, heartbeatMs: number): Promise<void> {
  const over = Promise.withResolvers<void>();
  const timers = [setTimeout(over.resolve, heartbeatMs)];
  let done = false;
  void exchange.submitted.then(() => done || timers.push(setTimeout(over.resolve, refusalMs)));
  try {
    await Promise.race([first, over.promise]);
  } finally {
    done = true;
    for (const timer of timers) clearTimeout(timer);
  }
}

const streamHeaders = {
  'cache-control': 'no-cache',
  // Proxies that buffer would hold tokens back.
  'x-accel-buffering': 'no',
};

async function* toFrames<E>(
  exchange: Exchange,
  first: Promise<IteratorResult<E>>,
  rest: AsyncGenerator<E>,
  writer: StreamWriter<E>,
  report: (error: RealmError) => void,
  ended: () => void,
): AsyncGenerator<Uint8Array> {
  try {
    if (writer.begin) yield* written(writer.begin());
    const { done, value } = await first;
    if (!done) yield* written(writer.of(value));
    for await (const event of rest) yield* written(writer.of(event));
    yield* written(await writer.end());
  } catch (thrown) {
    const error = asRealmError(thrown);
    exchange.code = error.code;
    report(error);
    yield* written(await writer.failed(error));
  } finally {
    ended();
    // Left before the loop began, nothing else would close it.
    await rest.return(undefined);
    exchange.finishStream();
  }
}

const encoder = new TextEncoder();

function written(text: string): Uint8Array[] {
  return text === '' ? [] : [encoder.encode(text)];
}

import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** A body of which at most so many bytes were declared is read to its end for the sake of the connection. */
const keptBytes = 1 << 20;

/** How long, and how much, is read of what ends with the connection. */
const lingerMs = 1_000;
const lingerBytes = 64 << 20;

/**
 * For an answer that is ready before the request's body has come: the rest would be taken for the next request. A small
 * rest is thrown away as it comes, and the connection goes on. Before a large one, or one of unknown length, the answer
 * says `connection: close`; it goes out at once, and the connection ends after a while of reading on, since a client
 * that is still sending would lose the answer to a reset (nginx calls it a lingering close).
 */
export async function answerEarly(incoming: IncomingMessage, answer: Response): Promise<Response> {
  const declared = Number(incoming.headers['content-length'] ?? Number.POSITIVE_INFINITY);
  const rest = discard(incoming);
  if (declared <= keptBytes) return answer;
  const whole = new Uint8Array(await answer.arrayBuffer());
  const headers = new Headers(answer.headers);
  headers.set('connection', 'close');
  headers.set('content-length', String(whole.length));
  const body = new ReadableStream({
    async start(controller) {
      controller.enqueue(whole);
      await rest;
      controller.close();
    },
  });
  return new Response(body, { status: answer.status, headers });
}

/** Throws the rest of a body away as it comes; resolves at its end, or when it has lasted too long. */
async function discard(incoming: IncomingMessage): Promise<void> {
  // Whoever began to read it would hold it back.
  incoming.removeAllListeners('data');
  const over = new AbortController();
  let bytes = 0;
  incoming.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > lingerBytes) over.abort();
  });
  for (const event of ['end', 'close']) incoming.once(event, () => over.abort());
  incoming.resume();
  await sleep(lingerMs, undefined, { signal: over.signal, ref: false }).catch(() => {});
}

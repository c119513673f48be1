import type { IncomingMessage, ServerResponse } from 'node:http';

/** First pause between two questions; the next ones are twice as long, up to the longest. */
const firstMs = 5;
const longestMs = 5_000;

/** How long an answer to HTTP/1.0 may take after the client's FIN: that version has nothing to ask with. */
const graceMs = 1_000;

/**
 * A FIN comes from a client that has sent all that it wants to send (a half-close), and from one that is gone. The
 * first gets its answer; the second must not keep a model busy. Only writing tells them apart: the machine of one
 * that is gone answers with a reset. So we write what every client skips: `100 Continue`, and once a stream has begun
 * what its readers skip, as an empty comment.
 * Returns what wants to be told of the type of the answer's content: Node does not say what headers it has sent.
 */
export function watchHalfClose(
  { socket, httpVersion }: IncomingMessage,
  answer: ServerResponse,
): (contentType: string | null) => void {
  let timer: NodeJS.Timeout | undefined;
  let sign: string | undefined;
  const ask = (pause: number) => {
    if (answer.writableEnded || answer.destroyed) return;
    if (answer.headersSent) {
      if (sign !== undefined) answer.write(sign);
    } else if (httpVersion === '1.1') answer.writeContinue();
    else if (pause > graceMs) socket.destroy();
    timer = setTimeout(ask, pause, Math.min(2 * pause, longestMs));
  };
  const ended = () => ask(firstMs);
  socket.once('end', ended);
  answer.once('close', () => {
    clearTimeout(timer);
    socket.off('end', ended);
  });
  return contentType => {
    const [type = ''] = contentType?.split(';') ?? [];
    sign = signs[type];
  };
}

/** What readers of a stream skip, by its type. */
const signs: Readonly<Record<string, string>> = { 'text/event-stream': ':\n\n', 'application/x-ndjson': ' ' };

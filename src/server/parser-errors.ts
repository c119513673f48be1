import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { type ErrorCode, RealmError } from '../errors.ts';
import type { Logger } from '../telemetry/log.ts';
import { errorBody } from './errors.ts';
import { newRequestId } from './exchange.ts';

/** The answer to what never reaches the app: in its shape, with an id, and the end of the connection. */
export interface Refusal {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Every refusal has its log line. */
export function refusal(error: RealmError, logger: Logger): Refusal {
  const id = newRequestId();
  const { status, code } = error;
  logger.log('info', 'request refused', { request_id: id, status, code });
  const body = JSON.stringify(errorBody(error, id));
  const length = String(Buffer.byteLength(body));
  const headers = {
    'content-type': 'application/json',
    'content-length': length,
    'x-request-id': id,
    connection: 'close',
  };
  return { status, headers, body };
}

/** Time that a client gets to take the refusal while it may still be sending. */
const lingerMs = 1_000;

/** Answers what Node's parser refuses; by itself it would send a bare status line. */
export function answerParserErrors(server: Server, logger: Logger): void {
  const open = new WeakMap<Socket, Set<ServerResponse>>();
  server.prependListener('request', ({ socket }: IncomingMessage, answer: ServerResponse) => {
    const answers = open.get(socket) ?? new Set();
    open.set(socket, answers.add(answer));
    answer.once('close', () => answers.delete(answer));
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    if (socket.writableEnded) return;
    const begun = [...(open.get(socket) ?? [])].some(answer => answer.headersSent);
    // A connection that was opened ahead of need and never used is owed no answer.
    if (begun || !socket.writable || error.code === 'ECONNRESET' || socket.bytesRead === 0) socket.destroy();
    else writeRefusal(socket, refusal(toRealmError(error), logger));
  });
  server.on('checkExpectation', (_: IncomingMessage, answer: ServerResponse) => {
    const error = new RealmError('expectation_failed', 'expect: only 100-continue can be met; leave the header out');
    const { status, headers, body } = refusal(error, logger);
    answer.writeHead(status, headers).end(body);
  });
}

function writeRefusal(socket: Socket, { status, headers, body }: Refusal): void {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`);
  setTimeout(() => socket.destroy(), lingerMs).unref();
}

const known: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  HPE_HEADER_OVERFLOW: ['headers_too_large', 'The headers are larger than 16 KiB; send less in them'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: ['body_too_large', 'The extensions of the chunks are too large; leave them out'],
  ERR_HTTP_REQUEST_TIMEOUT: ['request_timeout', 'The request did not come in time; send it faster'],
};

/** The parser's reasons are fixed words that quote nothing. */
function toRealmError(error: NodeJS.ErrnoException & { reason?: string }): RealmError {
  const [code, message] = known[error.code ?? ''] ?? [
    'http_invalid',
    `This is no HTTP request: ${error.reason ?? error.code}`,
  ];
  return new RealmError(code, message, { cause: error });
}

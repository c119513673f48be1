import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener, type HttpBindings, RequestError } from '@hono/node-server';
import type { Hono } from 'hono';
import { asRealmError, RealmError } from '../errors.ts';
import { type Logger, silent } from '../telemetry/log.ts';
import { watchHalfClose } from './half-close.ts';
import { answerEarly } from './leftover-body.ts';
import { answerParserErrors, refusal } from './parser-errors.ts';
import type { AppEnv } from './route.ts';
import { acceptSockets, isWebSocket } from './sockets/accept.ts';
import type { ConnectionLimits } from './sockets/places.ts';

export interface Listener {
  /** The port that was bound, when 0 was asked for. */
  readonly port: number;
  /** Takes no new connections; those that have nothing to do are closed. */
  stop(): void;
  /** Closes every connection, whatever it is doing. */
  destroy(): void;
}

export interface ListenOptions {
  /** How long a connection may lie idle between two requests. Default 75 s. */
  readonly keepAliveMs?: number;
  /** Hears of what is refused before it reaches the app. */
  readonly logger?: Logger;
  /** The longest message over a WebSocket. Default 8 MiB. */
  readonly messageBytes?: number;
  /** Of WebSockets. */
  readonly sockets?: ConnectionLimits;
}

const defaultPlaces: ConnectionLimits = { connections: 4096, tenantConnections: 1024 };

/** The only place that opens a socket. Throws `port_in_use`, or `config_invalid` for an address that cannot be bound. */
export async function listen(
  app: Hono<AppEnv>,
  host: string,
  port: number,
  {
    keepAliveMs = 75_000,
    logger = silent,
    messageBytes = 8 << 20,
    sockets: places = defaultPlaces,
  }: ListenOptions = {},
): Promise<Listener> {
  const server = createServer(
    {
      // A client that sends its request drop by drop is cut off; an idle connection is not, but for its first request.
      headersTimeout: 20_000,
      requestTimeout: 60_000,
      keepAliveTimeout: keepAliveMs,
      // The app's answer to a missing host has a body and an id.
      requireHostHeader: false,
      shouldUpgradeCallback: isWebSocket,
    },
    requestListener(app, logger),
  );
  // Node's own word for it, which its documentation leaves out: a FIN does not end the answers that are owed.
  Object.assign(server, { httpAllowHalfOpen: true });
  answerParserErrors(server, logger);
  const sockets = acceptSockets(server, app, { messageBytes, ...places });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(bindError(error, host, port)));
    server.listen(port, host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    stop: () => {
      server.close();
      sockets.stop();
      server.closeIdleConnections();
    },
    destroy: () => {
      server.close();
      sockets.destroy();
      server.closeAllConnections();
    },
  };
}

function requestListener(app: Hono<AppEnv>, logger: Logger): ReturnType<typeof getRequestListener> {
  const refuse = (error: unknown) => {
    const { body, ...init } = refusal(toRefusal(error), logger);
    return new Response(body, init);
  };
  return getRequestListener(
    async (request, env) => {
      const { incoming, outgoing } = env as HttpBindings;
      if (incoming.headers.host === undefined && incoming.httpVersion === '1.1')
        return refuse(new RequestError('there is no host header, which HTTP/1.1 asks for'));
      const tellType = watchHalfClose(incoming, outgoing);
      const answer = await app.fetch(request, { remoteAddress: incoming.socket.remoteAddress });
      tellType(answer.headers.get('content-type'));
      return incoming.complete || incoming.destroyed ? answer : answerEarly(incoming, answer);
    },
    {
      // For clients of HTTP/1.0, which need not name one.
      hostname: 'localhost',
      errorHandler: refuse,
      autoCleanupIncoming: false,
    },
  );
}

function toRefusal(error: unknown): RealmError {
  if (!(error instanceof RequestError)) return asRealmError(error);
  return new RealmError('http_invalid', `The request cannot be understood: ${error.message}`, { cause: error });
}

function bindError(error: NodeJS.ErrnoException, host: string, port: number): RealmError {
  const where = `${host}:${port}`;
  if (error.code === 'EADDRINUSE') {
    const message = `${where} is in use; stop the program that listens there, or choose another port with --port`;
    return new RealmError('port_in_use', message, { cause: error });
  }
  const message = `Cannot listen on ${where} (${error.code}); choose another --host or --port`;
  return new RealmError('config_invalid', message, { param: 'server.port', cause: error });
}

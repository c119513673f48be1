import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer, type HttpBindings } from '@hono/node-server';
import type { Hono } from 'hono';
import { RealmError } from '../errors.ts';
import type { AppEnv } from './route.ts';

export interface Listener {
  /** The port that was bound, when 0 was asked for. */
  readonly port: number;
  /** Takes no new connections; those that have nothing to do are closed. */
  stop(): void;
  /** Closes every connection, whatever it is doing. */
  destroy(): void;
}

/** The only place that opens a socket. Throws `port_in_use`, or `config_invalid` for an address that cannot be bound. */
export async function listen(app: Hono<AppEnv>, host: string, port: number): Promise<Listener> {
  const server = createAdaptorServer({
    fetch: (request, env) => app.fetch(request, { remoteAddress: (env as HttpBindings).incoming.socket.remoteAddress }),
    // A client that sends its request drop by drop is cut off.
    serverOptions: { headersTimeout: 20_000, requestTimeout: 60_000 },
  }) as Server;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(bindError(error, host, port)));
    server.listen(port, host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    stop: () => {
      server.close();
      server.closeIdleConnections();
    },
    destroy: () => {
      server.close();
      server.closeAllConnections();
    },
  };
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

import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Hono } from 'hono';
import { WebSocketServer } from 'ws';
import type { AppEnv } from '../route.ts';
import { headersOf, SocketLink, urlOf } from './link.ts';
import { type ConnectionLimits, type Place, Places } from './places.ts';
import type { OpenTalk, Upgrade } from './talk.ts';

export interface Sockets {
  /** Closes those that have nothing to do, and the others when they have answered. */
  stop(): void;
  destroy(): void;
}

export interface SocketOptions extends ConnectionLimits {
  /** The longest message, and what may wait of one connection. */
  readonly messageBytes: number;
}

/** For `createServer`: other protocols that a client would rather speak are no reason to leave HTTP. */
export const isWebSocket = ({ headers }: IncomingMessage): boolean => headers.upgrade?.toLowerCase() === 'websocket';

/** The word of the route that was asked. */
class Asking implements Upgrade {
  readonly #places: Places;
  agreed: { readonly open: OpenTalk; readonly place: Place } | undefined;

  constructor(places: Places) {
    this.#places = places;
  }

  agree(open: OpenTalk, tenant?: string): void {
    this.agreed = { open, place: this.#places.take(tenant) };
  }
}

/** The app decides who may have a connection, and its routes what is spoken on it: it answers as to a GET. */
export function acceptSockets(server: Server, app: Hono<AppEnv>, { messageBytes, ...limits }: SocketOptions): Sockets {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: messageBytes });
  const places = new Places(limits);
  const links = new Set<SocketLink>();
  let stopping = false;
  server.on('upgrade', (incoming: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy());
    accept(incoming, socket, head).catch(() => socket.destroy());
  });
  const accept = async (incoming: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> => {
    const upgrade = new Asking(places);
    const env = { remoteAddress: incoming.socket.remoteAddress, upgrade };
    const request = new Request(urlOf(incoming, incoming.url!), { headers: headersOf(incoming) });
    const answer = await app.fetch(request, env);
    const { agreed } = upgrade;
    if (!agreed) return refuse(socket, answer);
    // What ends before it has begun has no link that would give the place back.
    socket.once('close', agreed.place.leave);
    if (socket.destroyed) return agreed.place.leave();
    sockets.handleUpgrade(incoming, socket, head, webSocket => {
      const link = new SocketLink(webSocket, app, incoming, { mostBytes: messageBytes, ...agreed });
      links.add(link);
      webSocket.on('close', () => links.delete(link));
      if (stopping) link.stop();
    });
  };
  return {
    stop() {
      stopping = true;
      for (const link of links) link.stop();
    },
    destroy() {
      for (const link of links) link.destroy();
    },
  };
}

async function refuse(socket: Duplex, answer: Response): Promise<void> {
  const body = Buffer.from(await answer.arrayBuffer());
  const headers = [...answer.headers].map(([name, value]) => `${name}: ${value}\r\n`).join('');
  socket.write(
    `HTTP/1.1 ${answer.status} Refused\r\n${headers}content-length: ${body.length}\r\nconnection: close\r\n\r\n`,
  );
  socket.end(body);
}

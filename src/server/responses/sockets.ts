import { randomBytes } from 'node:crypto';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Hono } from 'hono';
import { type WebSocket, WebSocketServer } from 'ws';
import type { AppEnv } from '../route.ts';
import type { LocalResponses } from './book.ts';

/** The Responses API over WebSocket: each message is a request to the app, its events are messages. */

export interface Sockets {
  /** Closes those that have nothing to do, and the others when they have answered. */
  stop(): void;
  destroy(): void;
}

/** How often a connection is asked whether it lives. */
const pingMs = 30_000;
/** Codes of closing: RFC 6455, 7.4.1. */
const goingAway = 1001;
const policyViolation = 1008;

/** For `createServer`: other protocols that a client would rather speak are no reason to leave HTTP. */
export const isWebSocket = ({ headers }: IncomingMessage): boolean => headers.upgrade?.toLowerCase() === 'websocket';

/** The app decides who may have a connection: it answers as to a GET, with `upgrade: websocket` where it agrees. */
export function acceptSockets(server: Server, app: Hono<AppEnv>, messageBytes: number): Sockets {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: messageBytes });
  const connections = new Set<Connection>();
  let stopping = false;
  server.on('upgrade', (incoming: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy());
    accept(incoming, socket, head).catch(() => socket.destroy());
  });
  const accept = async (incoming: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> => {
    const env = { remoteAddress: incoming.socket.remoteAddress, upgrade: true };
    const answer = await app.fetch(new Request(urlOf(incoming), { headers: headersOf(incoming) }), env);
    if (answer.headers.get('upgrade') !== 'websocket') return refuse(socket, answer);
    sockets.handleUpgrade(incoming, socket, head, webSocket => {
      const connection = new Connection(webSocket, app, incoming, messageBytes);
      connections.add(connection);
      webSocket.on('close', () => connections.delete(connection));
      if (stopping) connection.stop();
    });
  };
  return {
    stop() {
      stopping = true;
      for (const connection of connections) connection.stop();
    },
    destroy() {
      for (const connection of connections) connection.destroy();
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

const urlOf = ({ headers, url }: IncomingMessage): string => `http://${headers.host ?? 'localhost'}${url}`;

/** The connection's own headers go with each of its requests: the key, the page's origin, what proxies say. */
function headersOf({ headers }: IncomingMessage): Headers {
  const own = Object.entries(headers).filter(([name]) => !/^(sec-websocket-|content-|connection$|upgrade$)/.test(name));
  return new Headers(own.map(([name, value]) => [name, String(value)]));
}

class Connection {
  readonly #socket: WebSocket;
  readonly #app: Hono<AppEnv>;
  readonly #incoming: IncomingMessage;
  /** What may wait together while one message is answered. */
  readonly #mostBytes: number;
  readonly #local: LocalResponses = { connection: randomBytes(16).toString('hex'), closed: false };
  readonly #gone = new AbortController();
  #waiting = 0;
  #waitingBytes = 0;
  #last: Promise<void> = Promise.resolve();
  #stopping = false;
  #alive = true;

  constructor(socket: WebSocket, app: Hono<AppEnv>, incoming: IncomingMessage, mostBytes: number) {
    this.#socket = socket;
    this.#mostBytes = mostBytes;
    this.#app = app;
    this.#incoming = incoming;
    const heartbeat = setInterval(() => this.#ping(), pingMs).unref();
    socket.on('pong', () => {
      this.#alive = true;
    });
    socket.on('error', () => socket.terminate());
    socket.on('close', () => {
      clearInterval(heartbeat);
      this.#gone.abort();
      this.#local.closed = true;
      this.#local.forget?.();
    });
    socket.on('message', data => this.#take(data as Buffer));
  }

  stop(): void {
    this.#stopping = true;
    if (this.#waiting === 0) this.#socket.close(goingAway, 'the server is stopping');
  }

  destroy(): void {
    this.#socket.terminate();
  }

  #ping(): void {
    if (!this.#alive) return this.#socket.terminate();
    this.#alive = false;
    this.#socket.ping();
  }

  /** One after the other, as they came. */
  #take(message: Buffer): void {
    this.#waitingBytes += message.length;
    if (this.#waitingBytes > this.#mostBytes) return this.#socket.close(policyViolation, 'too many messages wait');
    this.#waiting++;
    this.#last = this.#last.then(() => this.#answer(message)).catch(() => this.#socket.terminate());
  }

  async #answer(message: Buffer): Promise<void> {
    const { signal } = this.#gone;
    this.#waitingBytes -= message.length;
    if (!signal.aborted) {
      const headers = headersOf(this.#incoming);
      headers.set('content-length', String(message.length));
      const body = new Uint8Array(message);
      const request = new Request(urlOf(this.#incoming), { method: 'POST', headers, body, signal });
      const env = { remoteAddress: this.#incoming.socket.remoteAddress, local: this.#local };
      const answer = await this.#app.fetch(request, env);
      if (answer.ok) await this.#stream(answer);
      else await this.#send(JSON.stringify({ type: 'error', status: answer.status, ...(await answer.json()) }));
    }
    this.#waiting--;
    if (this.#stopping) this.stop();
  }

  /** The data of each frame is a message. */
  async #stream(answer: Response): Promise<void> {
    let rest = '';
    for await (const text of answer.body!.pipeThrough(new TextDecoderStream())) {
      const frames = (rest + text).split('\n\n');
      rest = frames.pop()!;
      for (const frame of frames) await this.#frame(frame);
    }
  }

  async #frame(frame: string): Promise<void> {
    if (frame.startsWith(':')) return this.#socket.ping();
    const data = frame.slice(frame.indexOf('data: ') + 'data: '.length);
    if (data !== '[DONE]') await this.#send(data);
  }

  /** Done when the system has taken it: nothing is pulled from the engine before. */
  #send(text: string): Promise<void> {
    return new Promise((resolve, reject) => this.#socket.send(text, error => (error ? reject(error) : resolve())));
  }
}

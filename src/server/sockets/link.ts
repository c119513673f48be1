import type { IncomingMessage } from 'node:http';
import type { Hono } from 'hono';
import type { WebSocket } from 'ws';
import type { AppEnv } from '../route.ts';
import type { Place } from './places.ts';
import { type Asked, type Link, type OpenTalk, policyViolation, type Talk } from './talk.ts';

/** A code of closing: RFC 6455, 7.4.1. */
const goingAway = 1001;

/** How often a connection is asked whether it lives. */
const pingMs = 30_000;

/** Lives as long as it answers pings, says something or takes what is sent. */
export class SocketLink implements Link {
  readonly #socket: WebSocket;
  readonly #app: Hono<AppEnv>;
  readonly #incoming: IncomingMessage;
  readonly #place: Place;
  readonly #talk: Talk;
  readonly #gone = new AbortController();
  readonly #mostBytes: number;
  #waitingBytes = 0;
  #waiting = 0;
  #last: Promise<void> = Promise.resolve();
  #stopping = false;
  #alive = true;

  constructor(
    socket: WebSocket,
    app: Hono<AppEnv>,
    incoming: IncomingMessage,
    { mostBytes, place, open }: { mostBytes: number; place: Place; open: OpenTalk },
  ) {
    this.#socket = socket;
    this.#app = app;
    this.#incoming = incoming;
    this.#mostBytes = mostBytes;
    this.#place = place;
    const heartbeat = setInterval(() => this.#beat(), pingMs).unref();
    socket.on('pong', () => this.#lives());
    socket.on('error', () => socket.terminate());
    socket.on('close', () => {
      clearInterval(heartbeat);
      place.leave();
      this.#gone.abort();
      this.#talk.closed?.();
    });
    socket.on('message', data => this.#take(data as Buffer));
    this.#talk = open(this);
  }

  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  get authorization(): string | undefined {
    const { authorization, 'x-api-key': key } = this.#incoming.headers;
    return authorization ?? (key === undefined ? undefined : `Bearer ${key}`);
  }

  get remoteAddress(): string | undefined {
    return this.#incoming.socket.remoteAddress;
  }

  belongTo(tenant: string): void {
    this.#place.belongTo(tenant);
  }

  send(text: string): Promise<void> {
    return new Promise((resolve, reject) =>
      this.#socket.send(text, error => {
        if (error) return reject(error);
        this.#lives();
        resolve();
      }),
    );
  }

  ping(): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.ping();
  }

  async fetch(
    method: 'GET' | 'POST',
    path: string,
    { body, authorization, local, ...asked }: Asked,
  ): Promise<Response> {
    const headers = headersOf(this.#incoming);
    if (authorization !== undefined) headers.set('authorization', authorization);
    if (body) headers.set('content-length', String(body.length));
    const signal = asked.signal ?? this.gone;
    const request = new Request(urlOf(this.#incoming, path), { method, headers, body: body ?? null, signal });
    return this.#app.fetch(request, {
      ...(this.remoteAddress !== undefined && { remoteAddress: this.remoteAddress }),
      ...(local && { local }),
    });
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
  }

  destroy(): void {
    this.#socket.terminate();
  }

  /** Closes it as soon as nothing is unanswered. */
  stop(): void {
    this.#stopping = true;
    this.rest();
  }

  rest(): void {
    if (this.#stopping && this.#waiting === 0 && !this.#talk.unanswered)
      this.close(goingAway, 'the server is stopping');
  }

  #lives(): void {
    this.#alive = true;
  }

  #beat(): void {
    if (!this.#alive) return this.destroy();
    this.#alive = false;
    this.ping();
  }

  #take(message: Buffer): void {
    this.#lives();
    this.#waitingBytes += message.length;
    if (this.#waitingBytes > Math.max(this.#mostBytes, this.#talk.waitingBytes ?? 0))
      return this.close(policyViolation, 'too many messages wait');
    this.#waiting++;
    this.#last = this.#last.then(() => this.#handle(message)).catch(() => this.destroy());
  }

  async #handle(message: Buffer): Promise<void> {
    this.#waitingBytes -= message.length;
    if (!this.gone.aborted) await this.#talk.take(message);
    this.#waiting--;
    this.rest();
  }
}

export const urlOf = ({ headers }: IncomingMessage, path: string): string =>
  `http://${headers.host ?? 'localhost'}${path}`;

/** What is the connection's own goes with each of its requests. */
export function headersOf({ headers }: IncomingMessage): Headers {
  const own = Object.entries(headers).filter(([name]) => !/^(sec-websocket-|content-|connection$|upgrade$)/.test(name));
  return new Headers(own.map(([name, value]) => [name, String(value)]));
}

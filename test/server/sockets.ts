/** Clients that write bytes, not requests. */
import { connect, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

export class RawClient {
  readonly socket: Socket;
  received = '';
  closed = false;

  constructor(t: TestContext, url: string) {
    this.socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1', allowHalfOpen: true });
    this.socket.on('data', data => {
      this.received += data;
    });
    this.socket.on('error', () => {});
    for (const event of ['end', 'close']) {
      this.socket.on(event, () => {
        this.closed = true;
      });
    }
    t.after(() => this.socket.destroy());
  }

  /** Waits until `pattern` has been received, and takes everything until then. */
  async receives(pattern: RegExp): Promise<string> {
    for (let i = 0; i < 500; i++) {
      const match = pattern.exec(this.received);
      if (match) {
        const taken = this.received.slice(0, match.index + match[0].length);
        this.received = this.received.slice(taken.length);
        return taken;
      }
      if (this.closed) break;
      await sleep(10);
    }
    throw new Error(`no ${pattern} in ${JSON.stringify(this.received)}`);
  }

  async closes(): Promise<string> {
    for (let i = 0; i < 500 && !this.closed; i++) await sleep(10);
    if (!this.closed) throw new Error('the server left the connection open');
    return this.received;
  }
}

/** An answer's status, headers and JSON. */
export function parseAnswer(text: string) {
  const [head, body] = text.split('\r\n\r\n', 2) as [string, string];
  const [line, ...lines] = head.split('\r\n');
  const headers = new Map(
    lines.map(each => each.split(': ', 2) as [string, string]).map(([k, v]) => [k.toLowerCase(), v]),
  );
  return { status: Number(line!.split(' ')[1]), headers, error: body ? JSON.parse(body).error : undefined };
}

/** A client of /v1/ws. */
import { type ClientOptions, WebSocket } from 'ws';

// biome-ignore lint/suspicious/noExplicitAny: the assertions check the shape
export type Message = any;

export class CallsClient {
  readonly socket: WebSocket;
  readonly arrived: Message[] = [];
  /** The code of closing. */
  readonly closed: Promise<number>;
  #wake = () => {};

  constructor(url: string, options: ClientOptions = {}) {
    this.socket = new WebSocket(`ws://${url}/v1/ws`, options);
    this.closed = new Promise(resolve => this.socket.once('close', resolve));
    this.socket.on('message', data => {
      this.arrived.push(JSON.parse(String(data)));
      this.#wake();
    });
    this.socket.on('error', () => {});
  }

  /** Done when the server has let it in, or has not. */
  async opened(): Promise<this> {
    await new Promise((resolve, reject) => this.socket.once('open', resolve).once('error', reject));
    return this;
  }

  send(message: object | string): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  async next(): Promise<Message> {
    while (this.arrived.length === 0) {
      const code = await Promise.race([this.closed, new Promise<void>(resolve => (this.#wake = resolve))]);
      if (typeof code === 'number' && this.arrived.length === 0) throw new Error(`closed with ${code}`);
    }
    return this.arrived.shift();
  }

  /** The messages of one call, of a client that makes one at a time. */
  async call(id: string | number, name: string, params?: object, tenant_id?: string): Promise<Message[]> {
    this.send({ id, function: name, params, tenant_id });
    const messages = [await this.next()];
    while (messages.at(-1).status === 'streaming') messages.push(await this.next());
    return messages;
  }
}

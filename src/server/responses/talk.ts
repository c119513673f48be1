import { randomBytes } from 'node:crypto';
import { frames } from '../sockets/frames.ts';
import type { Link, Talk } from '../sockets/talk.ts';
import type { LocalResponses } from './book.ts';

/** The Responses API over WebSocket: each message is a request to the app, its events are messages. */
export class ResponsesTalk implements Talk {
  readonly #link: Link;
  readonly #local: LocalResponses = { connection: randomBytes(16).toString('hex'), closed: false };

  constructor(link: Link) {
    this.#link = link;
  }

  async take(message: Buffer): Promise<void> {
    const body = new Uint8Array(message);
    const answer = await this.#link.fetch('POST', '/v1/responses', { body, local: this.#local });
    if (answer.ok) await this.#stream(answer);
    else await this.#link.send(JSON.stringify({ type: 'error', status: answer.status, ...(await answer.json()) }));
  }

  closed(): void {
    this.#local.closed = true;
    this.#local.forget?.();
  }

  async #stream(answer: Response): Promise<void> {
    for await (const data of frames(answer)) {
      if (data === undefined) this.#link.ping();
      else await this.#link.send(data);
    }
  }
}

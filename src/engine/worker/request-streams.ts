import type { RealmError } from '../../errors.ts';
import { failure } from '../failure.ts';
import type { EngineEvent, EngineFailure, EngineRequest, EventBatch } from '../types.ts';

/** The way to the engine, through a call or a message. */
export interface EngineLink {
  submit(id: number, request: EngineRequest): void;
  cancel(id: number): void;
}

/** Sorts the engine's events into one stream for each request. */
export class RequestStreams {
  readonly #link: EngineLink;
  readonly #inboxes = new Map<number, Inbox>();
  #next = 0;
  #failure: EngineFailure | undefined;

  constructor(link: EngineLink) {
    this.#link = link;
  }

  /** Requests that have not ended. */
  get open(): number {
    return this.#inboxes.size;
  }

  /** Submits when the first event is asked for; ends with one `end` or `error` event. */
  async *stream(request: EngineRequest, signal?: AbortSignal): AsyncGenerator<EngineEvent, void> {
    if (this.#failure) return yield this.#failure;
    const id = this.#next++;
    const inbox = new Inbox();
    const cancel = (): void => this.#link.cancel(id);
    this.#inboxes.set(id, inbox);
    signal?.addEventListener('abort', cancel);
    try {
      this.#link.submit(id, request);
      if (signal?.aborted) cancel();
      for (let event = await inbox.take(); ; event = await inbox.take()) {
        yield event;
        if (event.kind !== 'token') return;
      }
    } finally {
      signal?.removeEventListener('abort', cancel);
      // Still there: the consumer left before the end.
      if (this.#inboxes.delete(id)) cancel();
    }
  }

  deliver(events: EventBatch): void {
    for (const [id, event] of events) {
      this.#inboxes.get(id)?.put(event);
      if (event.kind !== 'token') this.#inboxes.delete(id);
    }
  }

  /** Ends every open request and all later ones with an error: the engine is gone. */
  fail(error: RealmError): void {
    this.#failure ??= failure(error);
    this.deliver([...this.#inboxes.keys()].map(id => [id, this.#failure!] as const));
  }
}

/** Events of one request that wait to be read. A generation bounds them: there is no more than one for each token. */
class Inbox {
  #events: EngineEvent[] = [];
  #reader: ((event: EngineEvent) => void) | undefined;

  put(event: EngineEvent): void {
    const reader = this.#reader;
    this.#reader = undefined;
    if (reader) reader(event);
    else this.#events.push(event);
  }

  take(): Promise<EngineEvent> {
    const event = this.#events.shift();
    return event ? Promise.resolve(event) : new Promise(resolve => (this.#reader = resolve));
  }
}

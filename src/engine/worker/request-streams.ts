import type { RealmError } from '../../errors.ts';
import { failure } from '../failure.ts';
import {
  type EngineEvent,
  type EngineFailure,
  type EventBatch,
  type GenerateRequest,
  isLast,
  type SequenceId,
} from '../request.ts';

/** The way to the engine, through a call or a message. */
export interface EngineLink {
  submit(id: SequenceId, request: GenerateRequest): void;
  cancel(id: SequenceId): void;
}

/** Sorts the engine's events into one stream for each request. */
export class RequestStreams {
  readonly #link: EngineLink;
  readonly #open = new Map<SequenceId, RequestStream>();
  #next = 0;
  #failure: EngineFailure | undefined;

  constructor(link: EngineLink) {
    this.#link = link;
  }

  /** Requests that have not ended. */
  get open(): number {
    return this.#open.size;
  }

  /** Submits when the first event is asked for; ends with one `end` or `error` event. For one reader. */
  stream(request: GenerateRequest, signal?: AbortSignal): RequestStream {
    const stream: RequestStream = new RequestStream(() => this.#begin(stream, request, signal));
    return stream;
  }

  deliver(events: EventBatch): void {
    for (const [id, event] of events) {
      const stream = this.#open.get(id);
      if (isLast(event)) this.#open.delete(id);
      stream?.put(event);
    }
  }

  /** Ends every open request and all later ones with an error: the engine is gone. */
  fail(error: RealmError): void {
    this.#failure ??= failure(error);
    this.deliver([...this.#open.keys()].map(id => [id, this.#failure!] as const));
  }

  /** Answers with what is to be done when nobody reads the stream any more. */
  #begin(stream: RequestStream, request: GenerateRequest, signal: AbortSignal | undefined): () => void {
    if (this.#failure) {
      stream.put(this.#failure);
      return () => {};
    }
    const id = this.#next++ as SequenceId;
    const cancel = (): void => this.#link.cancel(id);
    const leave = (): void => {
      signal?.removeEventListener('abort', cancel);
      // Still there: the reader left before the end.
      if (this.#open.delete(id)) cancel();
    };
    this.#open.set(id, stream);
    signal?.addEventListener('abort', cancel);
    try {
      this.#link.submit(id, request);
    } catch (error) {
      leave();
      throw error;
    }
    if (signal?.aborted) cancel();
    return leave;
  }
}

type Result = IteratorResult<EngineEvent, undefined>;

const over: Result = { value: undefined, done: true };

/**
 * The events of one request. An iterator and no generator: every token of every request comes through here. A generation
 * bounds what waits to be read, there is no more than one event for each token.
 */
export class RequestStream implements AsyncIterableIterator<EngineEvent, undefined> {
  readonly #begin: () => () => void;
  #leave: (() => void) | undefined;
  #events: EngineEvent[] = [];
  #reader: ((result: Result) => void) | undefined;
  #ended = false;

  /** `begin` is called for the first reading; what it answers with, once at the end. */
  constructor(begin: () => () => void) {
    this.#begin = begin;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Result> {
    if (this.#ended) return Promise.resolve(over);
    this.#leave ??= this.#begin();
    const event = this.#events.shift();
    if (event) return Promise.resolve(this.#result(event));
    return new Promise(resolve => {
      this.#reader = resolve;
    });
  }

  return(): Promise<Result> {
    this.#end();
    return Promise.resolve(over);
  }

  put(event: EngineEvent): void {
    const reader = this.#reader;
    this.#reader = undefined;
    if (reader) reader(this.#result(event));
    else this.#events.push(event);
  }

  #result(event: EngineEvent): Result {
    if (isLast(event)) this.#end();
    return { value: event, done: false };
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#leave?.();
    this.#reader?.(over);
  }
}

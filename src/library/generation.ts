import type { EngineUsage, FinishReason } from '../engine/request.ts';
import { asRealmError, RealmError } from '../errors.ts';
import type { TextEvent, TextLogprob } from '../llm/types.ts';

/** A piece of an answer: mostly one token's text. */
export interface Chunk {
  /** May be empty where only log-probabilities came. */
  readonly text: string;
  /** Of its tokens, if they were asked for. */
  readonly logprobs?: readonly TextLogprob[];
}

/** A whole answer. */
export interface Answer {
  readonly text: string;
  /** `stop`: the model or a stop string ended it; `length`: `maxTokens` or the context; `cancelled`: its reader left. */
  readonly finishReason: FinishReason;
  /** In tokens. */
  readonly usage: EngineUsage;
  /** Of all its tokens, if they were asked for. */
  readonly logprobs?: readonly TextLogprob[];
}

/** Makes the chunks of one answer, and returns all of it; ends early when the signal is aborted. */
export type Produce<C = Chunk, A = Answer> = (signal: AbortSignal) => AsyncGenerator<C, A>;

/**
 * An answer that is being made. Iterate it for its chunks as they come, await it for the whole answer, or both: every
 * iteration begins at the first chunk. Leaving an iteration early ends the answer. Both throw a {@link RealmError}:
 * `request_cancelled` where the signal was aborted.
 */
export class Generation<C = Chunk, A = Answer> implements AsyncIterable<C>, PromiseLike<A> {
  readonly #chunks: C[] = [];
  readonly #left = new AbortController();
  readonly #answer: Promise<A>;
  #ended = false;
  #more = Promise.withResolvers<void>();

  /** @internal */
  constructor(produce: Produce<C, A>, signal: AbortSignal | undefined) {
    this.#answer = this.#run(produce, signal).finally(() => this.#wake(true));
    // Whoever only iterates hears of an error there.
    this.#answer.catch(() => {});
  }

  /** The chunks, from the first. */
  async *[Symbol.asyncIterator](): AsyncGenerator<C, void> {
    let finished = false;
    try {
      for (let next = 0; ; ) {
        if (next < this.#chunks.length) yield this.#chunks[next++] as C;
        else if (this.#ended) break;
        else await this.#more.promise;
      }
      finished = true;
      await this.#answer;
    } finally {
      if (!finished) this.#left.abort();
    }
  }

  /** Waits for the whole answer. */
  // biome-ignore lint/suspicious/noThenProperty: awaiting it is what it is for
  then<R = A, B = never>(
    fulfilled?: ((answer: A) => R | PromiseLike<R>) | null,
    rejected?: ((error: RealmError) => B | PromiseLike<B>) | null,
  ): Promise<R | B> {
    return this.#answer.then(fulfilled, rejected);
  }

  async #run(produce: Produce<C, A>, signal: AbortSignal | undefined): Promise<A> {
    const either = signal ? AbortSignal.any([signal, this.#left.signal]) : this.#left.signal;
    try {
      throwIfCancelled(signal);
      return await this.#collect(produce(either));
    } catch (error) {
      throwIfCancelled(signal);
      throw asRealmError(error);
    }
  }

  async #collect(chunks: AsyncGenerator<C, A>): Promise<A> {
    for (;;) {
      const { done, value } = await chunks.next();
      if (done) return value;
      this.#chunks.push(value);
      this.#wake(false);
    }
  }

  #wake(ended: boolean): void {
    this.#ended ||= ended;
    this.#more.resolve();
    this.#more = Promise.withResolvers();
  }
}

/** The text of an answer, and how it ended. Throws `request_cancelled` where `signal` ended it. */
export async function* textAnswer(
  events: AsyncIterable<TextEvent>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Chunk, Answer> {
  let whole = '';
  const all: TextLogprob[] = [];
  for await (const event of events) {
    if (event.kind === 'end') {
      const { reason: finishReason, usage } = event;
      if (finishReason === 'cancelled') throwIfCancelled(signal);
      return { text: whole, finishReason, usage, ...(all.length > 0 && { logprobs: all }) };
    }
    const { text, logprobs } = event;
    if (text === '' && logprobs.length === 0) continue;
    whole += text;
    all.push(...logprobs);
    yield logprobs.length === 0 ? { text } : { text, logprobs };
  }
  throw new RealmError('engine_failed', 'the engine ended without an answer; load the model again');
}

/** Throws `request_cancelled`, with the signal's reason as its cause. */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new RealmError('request_cancelled', 'it was cancelled', { cause: signal.reason });
}

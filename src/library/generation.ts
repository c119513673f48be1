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

/** Makes the events of one answer; ends early when the signal is aborted. */
export type Produce = (signal: AbortSignal) => AsyncIterable<TextEvent>;

/**
 * An answer that is being made. Iterate it for its text as it comes, await it for the whole answer, or both: every
 * iteration begins at the first chunk. Leaving an iteration early ends the answer. Both throw a {@link RealmError}:
 * `request_cancelled` where the signal was aborted.
 */
export class Generation implements AsyncIterable<Chunk>, PromiseLike<Answer> {
  readonly #chunks: Chunk[] = [];
  readonly #left = new AbortController();
  readonly #answer: Promise<Answer>;
  #ended = false;
  #more = Promise.withResolvers<void>();

  /** @internal */
  constructor(produce: Produce, signal: AbortSignal | undefined) {
    this.#answer = this.#run(produce, signal).finally(() => this.#wake(true));
    // Whoever only iterates hears of an error there.
    this.#answer.catch(() => {});
  }

  /** The chunks, from the first. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Chunk, void> {
    let finished = false;
    try {
      for (let next = 0; ; ) {
        const chunk = this.#chunks[next];
        if (chunk) {
          next++;
          yield chunk;
        } else if (this.#ended) break;
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
  then<A = Answer, B = never>(
    fulfilled?: ((answer: Answer) => A | PromiseLike<A>) | null,
    rejected?: ((error: RealmError) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#answer.then(fulfilled, rejected);
  }

  async #run(produce: Produce, signal: AbortSignal | undefined): Promise<Answer> {
    const either = signal ? AbortSignal.any([signal, this.#left.signal]) : this.#left.signal;
    try {
      throwIfCancelled(signal);
      return await this.#collect(produce(either), signal);
    } catch (error) {
      throwIfCancelled(signal);
      throw asRealmError(error);
    }
  }

  async #collect(events: AsyncIterable<TextEvent>, signal: AbortSignal | undefined): Promise<Answer> {
    for await (const event of events) {
      if (event.kind === 'end') {
        if (event.reason === 'cancelled') throwIfCancelled(signal);
        return this.#whole(event.reason, event.usage);
      }
      const { text, logprobs } = event;
      if (text === '' && logprobs.length === 0) continue;
      this.#chunks.push(logprobs.length === 0 ? { text } : { text, logprobs });
      this.#wake(false);
    }
    throw new RealmError('engine_failed', 'the engine ended without an answer; load the model again');
  }

  #whole(finishReason: FinishReason, usage: EngineUsage): Answer {
    const text = this.#chunks.map(chunk => chunk.text).join('');
    const logprobs = this.#chunks.flatMap(chunk => chunk.logprobs ?? []);
    return { text, finishReason, usage, ...(logprobs.length > 0 && { logprobs }) };
  }

  #wake(ended: boolean): void {
    this.#ended ||= ended;
    this.#more.resolve();
    this.#more = Promise.withResolvers();
  }
}

/** Throws `request_cancelled`, with the signal's reason as its cause. */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new RealmError('request_cancelled', 'it was cancelled', { cause: signal.reason });
}

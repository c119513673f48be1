import type { SamplingSpec } from '../backend/backend.ts';
import type { RealmError } from '../errors.ts';
import type { Token } from '../tokenizer/types.ts';
import type { Adapters } from './adapters.ts';
import type { AnswerStates } from './constraint/answer-states.ts';
import type { ConstrainedAnswer } from './constraint/constrained-answer.ts';
import { failure } from './failure.ts';
import type { Pooler } from './pooler.ts';
import type { EndValues, EngineEvent, EventBatch, FinishReason, SequenceId, TokenLogprob } from './request.ts';
import type { RetryAfterEstimator } from './scheduler/retry-after-estimator.ts';
import type { Scheduler } from './scheduler/scheduler.ts';
import type { Sequence } from './sequence.ts';

/** A request that has been accepted and has not ended. */
export interface ActiveRequest {
  readonly sequence: Sequence;
  readonly sampling: SamplingSpec;
  readonly stopTokens: ReadonlySet<Token>;
  readonly topLogprobs: number | undefined;
  /** Tokens whose log-probabilities go with each of the answer's. */
  readonly scoredTokens: readonly Token[] | undefined;
  readonly promptLogprobs: number | undefined;
  /** Tokens of the answer before which none of the `stopTokens` may come. */
  readonly minTokens: number;
  /** Where its answer is in what it must be. */
  readonly constraint: ConstrainedAnswer | undefined;
  /** Which tokens may come first. [words] */
  readonly firstMask: Uint32Array | undefined;
  /** The row behind its last token is wanted. */
  readonly logits: boolean;
  /** Of a request for an embedding. */
  readonly pooler: Pooler | undefined;
  /** Ends it while it waits for its first step. */
  readonly queueTimer: ReturnType<typeof setTimeout> | undefined;
}

/** The requests that have been accepted and have not ended, and the events that have not been delivered. */
export class ActiveRequests {
  readonly #scheduler: Scheduler;
  readonly #adapters: Adapters;
  readonly #retryAfter: RetryAfterEstimator;
  readonly #answers: AnswerStates;
  readonly #active = new Map<SequenceId, ActiveRequest>();
  #events: [SequenceId, EngineEvent][] = [];
  #goesOn = false;

  constructor(scheduler: Scheduler, adapters: Adapters, retryAfter: RetryAfterEstimator, answers: AnswerStates) {
    this.#scheduler = scheduler;
    this.#adapters = adapters;
    this.#retryAfter = retryAfter;
    this.#answers = answers;
  }

  get size(): number {
    return this.#active.size;
  }

  ids(): SequenceId[] {
    return [...this.#active.keys()];
  }

  /** Nothing when it has ended, which it may have while a batch ran. */
  get(id: SequenceId): ActiveRequest | undefined {
    return this.#active.get(id);
  }

  add(request: ActiveRequest): void {
    this.#active.set(request.sequence.id, request);
    this.#scheduler.submit(request.sequence);
  }

  token(id: SequenceId, token: Token, logprob: TokenLogprob | undefined): void {
    this.#events.push([id, logprob ? { kind: 'token', token, logprob } : { kind: 'token', token }]);
  }

  /** Of its prompt's next tokens. */
  prompt(id: SequenceId, logprobs: readonly TokenLogprob[]): void {
    this.#events.push([id, { kind: 'prompt', logprobs }]);
  }

  end(id: SequenceId, reason: FinishReason, values: EndValues = {}): void {
    const sequence = this.#take(id, true);
    if (!sequence) return;
    const { tokens, promptTokens, cachedTokens = 0, keepsTail = false } = sequence;
    this.#goesOn ||= keepsTail;
    // The token that ends an answer is no part of it, and was computed as the others were.
    const ended = reason === 'stop' && !values.embedding ? 1 : 0;
    const usage = { promptTokens, cachedTokens, completionTokens: tokens.length - promptTokens + ended };
    this.#events.push([id, { kind: 'end', reason, usage, ...values }]);
  }

  /** What a failed request leaves in the cache is not trusted. */
  fail(id: SequenceId, error: RealmError): void {
    if (this.#take(id, false)) this.#events.push([id, failure(error)]);
  }

  /** Whether, since it was last asked, one has ended that another is likely to go on behind. */
  takeGoesOn(): boolean {
    const goesOn = this.#goesOn;
    this.#goesOn = false;
    return goesOn;
  }

  /** Gives the events since the last time, if there are any, to `deliver`. */
  flush(deliver: (events: EventBatch) => void): void {
    if (this.#events.length === 0) return;
    const events = this.#events;
    this.#events = [];
    deliver(events);
  }

  /** The one way out: frees everything that a request holds. */
  #take(id: SequenceId, keep: boolean): Sequence | undefined {
    const request = this.#active.get(id);
    if (!request) return undefined;
    this.#active.delete(id);
    clearTimeout(request.queueTimer);
    if (keep && request.sequence.keepsTail && request.constraint)
      this.#answers.keep(request.sequence, request.constraint);
    this.#scheduler.remove(request.sequence, keep);
    if (request.sequence.adapter) this.#adapters.release(request.sequence.adapter);
    this.#retryAfter.ended();
    return request.sequence;
  }
}

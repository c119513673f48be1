import { unsampled } from '../backend/backend.ts';
import { asRealmError, RealmError } from '../errors.ts';
import type { Model } from '../model/types.ts';
import type { Token } from '../tokenizer/types.ts';
import type { ActiveRequest, ActiveRequests } from './active-requests.ts';
import type { Counters } from './counters.ts';
import type { EndValues, FinishReason, TokenLogprob } from './request.ts';
import type { BatchOutput, Embedded, Sampled, Scored } from './runner.ts';
import { Logprobs } from './sampling/logprobs.ts';
import { whyUnsampled } from './sampling/unsampled.ts';
import type { Scheduler } from './scheduler/scheduler.ts';
import type { Speculation } from './speculation/speculation.ts';

interface Parts {
  readonly model: Model;
  readonly scheduler: Scheduler;
  readonly requests: ActiveRequests;
  readonly speculation: Speculation | undefined;
  readonly counters: Counters;
}

/** How a sequence ends that has all its tokens: nothing but the end can follow, or it is as long as it may be. */
function overBy({ sequence, constraint }: ActiveRequest): FinishReason | undefined {
  if (constraint?.isOver && sequence.tokens.length > sequence.promptTokens) return 'stop';
  return sequence.tokens.length >= sequence.limit ? 'length' : undefined;
}

/** A copy of the row behind the last token, where it is wanted. logits: [vocabSize] */
function lastRow({ logits: wanted }: ActiveRequest, logits: Float32Array | undefined): EndValues {
  return wanted && logits ? { logits: logits.slice() } : {};
}

/** Makes tokens, embeddings and ends of requests of what a batch has computed. */
export class OutputProcessor {
  readonly #model: Model;
  readonly #scheduler: Scheduler;
  readonly #requests: ActiveRequests;
  readonly #speculation: Speculation | undefined;
  readonly #counters: Counters;
  readonly #logprobs: Logprobs;

  constructor({ model, scheduler, requests, speculation, counters }: Parts) {
    this.#model = model;
    this.#scheduler = scheduler;
    this.#requests = requests;
    this.#speculation = speculation;
    this.#counters = counters;
    this.#logprobs = new Logprobs(model.vocabSize);
  }

  process({ work, scored, sampled, embedded }: BatchOutput): void {
    const wrong = sampled.filter(({ tokens, drafted }) => tokens.length <= drafted);
    this.#scheduler.commit(work, new Set(wrong.map(({ sequence }) => sequence)));
    for (const each of scored) this.#score(each);
    for (const each of sampled) this.#append(each);
    for (const each of embedded) this.#pool(each);
  }

  /** Log-probabilities of the prompt's tokens behind those that a piece of it has rows of. */
  #score({ sequence, position, logits }: Scored): void {
    const request = this.#requests.get(sequence.id);
    if (!request) return;
    const { vocabSize } = this.#model;
    const next = position + logits.length / vocabSize;
    try {
      const logprobs = sequence.tokens.slice(position + 1, next + 1).map((token, i) => {
        const row = logits.subarray(i * vocabSize, (i + 1) * vocabSize);
        return this.#logprobs.of(row, token, request.promptLogprobs ?? 0);
      });
      this.#requests.prompt(sequence.id, logprobs);
      sequence.rowsFrom = next < sequence.promptTokens - 1 ? next : Number.POSITIVE_INFINITY;
    } catch (error) {
      this.#requests.fail(sequence.id, asRealmError(error));
    }
  }

  /** The sequence's next token, behind those of its draft that were right; it may end with any of them. */
  #append({ sequence, tokens, drafted, logits }: Sampled): void {
    const request = this.#requests.get(sequence.id);
    if (!request) return;
    let accepted = 0;
    try {
      const { vocabSize } = this.#model;
      for (const [i, token] of tokens.entries()) {
        this.#advance(request, token, logits?.subarray(i * vocabSize, (i + 1) * vocabSize));
        if (sequence.state !== 'running' || i === tokens.length - 1) break;
        this.#scheduler.accept(sequence);
        accepted++;
      }
    } catch (error) {
      this.#requests.fail(sequence.id, asRealmError(error));
    }
    this.#scheduler.trim(sequence);
    this.#speculation?.learn(sequence, drafted, accepted);
    this.#counters.draftedTokens += drafted;
    this.#counters.acceptedTokens += accepted;
  }

  /** The sequence has its next token, and ends where that or its length says so. */
  #advance(request: ActiveRequest, chosen: number, logits: Float32Array | undefined): void {
    const { sequence, stopTokens, constraint } = request;
    if (sequence.tokens.length === sequence.promptTokens) this.#counters.promptTokens += sequence.promptTokens;
    // Only the row behind its last token was to be computed: nothing need follow there.
    const over = chosen < 0 && chosen !== unsampled.allBanned ? undefined : overBy(request);
    if (over) return this.#requests.end(sequence.id, over, lastRow(request, logits));
    if (chosen < 0) throw constraint?.error ?? whyUnsampled(chosen);
    const token = chosen as Token;
    this.#counters.completionTokens++;
    const logprob = this.#logprobOf(request, token, logits);
    if (stopTokens.has(token)) {
      const isScored = request.promptLogprobs !== undefined || request.scoredTokens !== undefined;
      const ended = sequence.keepsTail ? { stopToken: token } : {};
      const values = { ...ended, ...(isScored && { logprob }), ...lastRow(request, logits) };
      return this.#requests.end(sequence.id, 'stop', values);
    }
    if (constraint && !constraint.accept(token)) throw new RealmError('internal_error', 'a token broke its constraint');
    this.#scheduler.append(sequence, token);
    this.#requests.token(sequence.id, token, logprob);
    const end = overBy(request);
    // That needs no step, unless the row behind it is wanted.
    if (end && !request.logits) this.#requests.end(sequence.id, end);
  }

  #logprobOf(request: ActiveRequest, token: Token, logits: Float32Array | undefined): TokenLogprob | undefined {
    const { topLogprobs, scoredTokens } = request;
    return logits && topLogprobs !== undefined
      ? this.#logprobs.of(logits, token, topLogprobs, scoredTokens)
      : undefined;
  }

  /** Hidden states of a piece of a text that is embedded; the last piece ends the request. */
  #pool({ sequence, position, states }: Embedded): void {
    const pooler = this.#requests.get(sequence.id)?.pooler;
    if (!pooler) return;
    const { width } = this.#model;
    const count = states.length / width;
    for (let i = 0; i < count; i++) pooler.add(position + i, states.subarray(i * width, (i + 1) * width));
    if (position + count < sequence.tokens.length) return;
    this.#counters.promptTokens += sequence.promptTokens;
    const embedding = pooler.vector();
    if (embedding.every(Number.isFinite)) return this.#requests.end(sequence.id, 'stop', { embedding });
    this.#requests.fail(sequence.id, new RealmError('engine_failed', 'the model computed values that are not numbers'));
  }
}

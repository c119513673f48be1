import { asRealmError, RealmError } from '../errors.ts';
import type { Model } from '../model/types.ts';
import type { Token } from '../tokenizer/types.ts';
import type { ActiveRequest, ActiveRequests } from './active-requests.ts';
import type { Counters } from './counters.ts';
import type { BatchOutput } from './runner.ts';
import { Sampler } from './sampling/sampler.ts';
import type { Scheduler } from './scheduler/scheduler.ts';
import type { Speculation } from './speculation/speculation.ts';

interface Parts {
  readonly model: Model;
  readonly scheduler: Scheduler;
  readonly requests: ActiveRequests;
  readonly speculation: Speculation | undefined;
  readonly counters: Counters;
}

/** Makes tokens, embeddings and ends of requests of what a batch has computed. */
export class OutputProcessor {
  readonly #model: Model;
  readonly #scheduler: Scheduler;
  readonly #requests: ActiveRequests;
  readonly #speculation: Speculation | undefined;
  readonly #counters: Counters;
  readonly #sampler: Sampler;

  constructor({ model, scheduler, requests, speculation, counters }: Parts) {
    this.#model = model;
    this.#scheduler = scheduler;
    this.#requests = requests;
    this.#speculation = speculation;
    this.#counters = counters;
    this.#sampler = new Sampler(model.vocabSize);
  }

  process({ work, ready, embedded }: BatchOutput): void {
    this.#scheduler.commit(work);
    for (const each of ready) this.#sample(each);
    for (const each of embedded) this.#pool(each);
  }

  /**
   * Samples the next token, and goes on as long as it is the one that was drafted: then the row behind it is what plain
   * decoding would compute next, to the bit, and the sampler's choice depends on nothing else. Drafts change no output.
   */
  #sample({ sequence, output, draft }: BatchOutput['ready'][number]): void {
    const request = this.#requests.get(sequence.id);
    if (!request) return;
    let accepted = 0;
    try {
      for (;;) {
        const logits = this.#model.logits(output + accepted);
        const token = this.#sampler.sample(logits, sequence, request.sampling);
        this.#advance(request, token, logits);
        if (sequence.state !== 'running' || draft[accepted] !== token) break;
        this.#scheduler.accept(sequence);
        accepted++;
      }
    } catch (error) {
      this.#requests.fail(sequence.id, asRealmError(error));
    }
    this.#scheduler.trim(sequence);
    this.#speculation?.learn(sequence, draft.length, accepted);
    this.#counters.draftedTokens += draft.length;
    this.#counters.acceptedTokens += accepted;
  }

  /** The sequence has its next token, and ends where that or its length says so. */
  #advance({ sequence, stopTokens, topLogprobs }: ActiveRequest, token: Token, logits: Float32Array): void {
    if (sequence.tokens.length === sequence.promptTokens) this.#counters.promptTokens += sequence.promptTokens;
    this.#counters.completionTokens++;
    if (stopTokens.has(token)) return this.#requests.end(sequence.id, 'stop');
    const logprob = topLogprobs === undefined ? undefined : this.#sampler.logprob(logits, token, topLogprobs);
    this.#scheduler.append(sequence, token);
    this.#requests.token(sequence.id, token, logprob);
    if (sequence.tokens.length >= sequence.limit) this.#requests.end(sequence.id, 'length');
  }

  /** Hidden states of a piece of a text that is embedded; the last piece ends the request. */
  #pool({ sequence, row, position, count }: BatchOutput['embedded'][number]): void {
    const pooler = this.#requests.get(sequence.id)?.pooler;
    if (!pooler) return;
    for (let i = 0; i < count; i++) pooler.add(position + i, this.#model.state(row + i));
    if (position + count < sequence.tokens.length) return;
    this.#counters.promptTokens += sequence.promptTokens;
    const embedding = pooler.vector();
    if (embedding.every(Number.isFinite)) return this.#requests.end(sequence.id, 'stop', embedding);
    this.#requests.fail(sequence.id, new RealmError('engine_failed', 'the model computed values that are not numbers'));
  }
}

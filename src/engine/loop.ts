import { setImmediate as nextTurn } from 'node:timers/promises';
import { type GiveWay, pageTokens } from '../backend/backend.ts';
import { asRealmError, RealmError } from '../errors.ts';
import type { Reader } from '../gguf/types.ts';
import type { Model } from '../model/types.ts';
import type { Token } from '../tokenizer/types.ts';
import { type AdapterInUse, Adapters } from './adapters.ts';
import { checkRequest } from './admission.ts';
import { BlockPool } from './cache/block-pool.ts';
import { PrefixCache } from './cache/prefix-cache.ts';
import { type SessionInfo, type SessionRequest, Sessions } from './cache/sessions.ts';
import type { EngineParts } from './engine-parts.ts';
import { failure } from './failure.ts';
import { contextOf, defaults, type EngineOptions } from './options.ts';
import { Pooler } from './pooler.ts';
import { type Ran, Runner } from './runner.ts';
import { Sampler } from './sampling/sampler.ts';
import { resolveSampling, type SamplingSpec } from './sampling/sampling.ts';
import type { PageCopy, Plan, Work } from './scheduler/plan.ts';
import { RetryAfterEstimator } from './scheduler/retry-after-estimator.ts';
import { Scheduler } from './scheduler/scheduler.ts';
import { StepCosts } from './scheduler/step-costs.ts';
import { createSequence, type Sequence } from './sequence.ts';
import { DraftModel } from './speculation/draft-model.ts';
import { Speculation } from './speculation/speculation.ts';
import type { EngineEvent, EngineRequest, EngineStats, EventBatch, FinishReason } from './types.ts';

/** How often a step that runs looks who has come. */
const receiveEveryMs = 2;

/** A request that has been accepted and has not ended. */
interface Job {
  readonly sequence: Sequence;
  readonly sampling: SamplingSpec;
  readonly stopTokens: ReadonlySet<Token>;
  readonly topLogprobs: number | undefined;
  /** Of a request for an embedding. */
  readonly pooler: Pooler | undefined;
  /** Ends it while it waits for its first step. */
  readonly queueTimer: NodeJS.Timeout | undefined;
}

/**
 * The engine of one model: takes requests, runs steps while there is work, and gives what each step produced, for all
 * requests at once, to `deliver`. Every submitted number gets exactly one `end` or `error` event. Between steps the
 * event loop has its turn, so that submissions and cancellations arrive.
 */
export class EngineLoop {
  /** Most tokens of one sequence: what was asked for, as far as the model and the KV cache reach. */
  readonly context: number;
  /** The parts that keep the books, to look into. */
  readonly pool: BlockPool;
  readonly cache: PrefixCache;
  readonly scheduler: Scheduler;
  readonly #model: Model;
  readonly #turn: () => Promise<void>;
  readonly #receive: (() => void) | undefined;
  readonly #clock: () => number;
  readonly #runner: Runner;
  readonly #sampler: Sampler;
  readonly #adapters: Adapters;
  readonly #sessions: Sessions;
  /** Waits for the end of the batch that runs. */
  #afterwards: (() => void)[] = [];
  readonly #speculation: Speculation | undefined;
  readonly #deliver: (events: EventBatch) => void;
  readonly #jobs = new Map<number, Job>();
  #events: [number, EngineEvent][] = [];
  #closing = false;
  #running = false;
  #working: Promise<void> | undefined;
  #promptTokens = 0;
  #completionTokens = 0;
  #drafted = 0;
  #accepted = 0;
  #steps = 0;
  #preemptedSteps = 0;
  readonly #costs = new StepCosts();
  readonly #retryAfter = new RetryAfterEstimator();
  /** A page on its way from one place to another. [model.pageBytes] */
  readonly #page: Uint8Array;

  constructor(
    model: Model,
    options: EngineOptions,
    deliver: (events: EventBatch) => void,
    { draft, fingerprint = '', turn = nextTurn, receive, clock = () => performance.now() }: EngineParts = {},
  ) {
    const maxBatchedTokens = Math.min(options.maxBatchedTokens ?? defaults.maxBatchedTokens, model.maxBatchTokens);
    this.context = Math.min(contextOf(options, model.trainedContext), model.pages * pageTokens);
    this.#model = model;
    this.#page = new Uint8Array(model.pageBytes);
    this.pool = new BlockPool(model.pages);
    this.cache = new PrefixCache(this.pool, {
      quota: options.cacheQuota,
      floor: options.cacheFloor,
      shared: options.sharedPrefixes,
    });
    const { prefillMs = defaults.prefillMs } = options;
    const limits = {
      maxRunning: Math.min(options.maxRunning ?? defaults.maxRunning, model.maxOutputs, maxBatchedTokens - 1),
      maxBatchedTokens,
      prefillChunk: options.prefillChunk ?? defaults.prefillChunk,
      pieceTokens: (position: number, decoding: number) =>
        decoding > 0
          ? this.#costs.promptTokens(position, decoding, prefillMs)
          : this.#costs.tokensAsLong(position, maxBatchedTokens),
      maxOutputs: model.maxOutputs,
      maxWaiting: options.maxWaiting ?? defaults.maxWaiting,
      maxWaitingOf: options.maxWaitingOf,
      weights: options.weights,
    };
    this.scheduler = new Scheduler(limits, this.pool, this.cache);
    this.#runner = new Runner(model);
    this.#sampler = new Sampler(model.vocabSize);
    this.#adapters = new Adapters(model);
    const drafts = draft && new DraftModel(draft, this.pool, model.vocabSize, clock);
    const guessing = (options.speculation ?? defaults.speculation) === 'lookup';
    this.#speculation = guessing ? new Speculation(this.scheduler, this.#costs, drafts) : undefined;
    const between = <T>(work: () => T): Promise<T> => this.#between(work);
    this.#sessions = new Sessions({ model, pool: this.pool, cache: this.cache, between, fingerprint });
    this.#deliver = deliver;
    this.#turn = turn;
    this.#receive = receive;
    this.#clock = clock;
  }

  submit(id: number, request: EngineRequest): void {
    try {
      this.#accept(id, request);
    } catch (error) {
      this.#deliver([[id, failure(asRealmError(error))]]);
    }
  }

  /** Ends the request at once, wherever it is; nothing happens when it has ended already. */
  cancel(id: number): void {
    this.#end(id, 'cancelled');
    this.#sweep();
    this.#send();
  }

  /** Loads an adapter from a file while requests go on. */
  async loadAdapter(name: string, source: string | Reader): Promise<void> {
    if (this.#closing) throw new RealmError('shutting_down', 'the engine is shutting down');
    await this.#adapters.load(name, source);
  }

  /** Resolves when the last request that had it has ended. */
  async unloadAdapter(name: string): Promise<void> {
    const freed = this.#adapters.retire(name);
    this.#sweep();
    await freed;
  }

  /** Saves what the tenant's cache holds for the tokens. */
  saveSession(request: SessionRequest, tokens: readonly Token[]): Promise<SessionInfo> {
    return this.#withAdapter(request, adapter => this.#sessions.save(request, tokens, adapter));
  }

  /** Puts a saved sequence into the tenant's cache. */
  restoreSession(request: SessionRequest): Promise<SessionInfo> {
    return this.#withAdapter(request, adapter => this.#sessions.restore(request, adapter));
  }

  stats(): EngineStats {
    const memory = this.#model.memory();
    return {
      running: this.scheduler.running.size,
      waiting: this.scheduler.waiting,
      pagesTotal: this.pool.total,
      pagesUsed: this.pool.used,
      pagesCached: this.cache.idlePages,
      promptTokens: this.#promptTokens,
      completionTokens: this.#completionTokens,
      draftedTokens: this.#drafted,
      acceptedTokens: this.#accepted,
      steps: this.#steps,
      preemptedSteps: this.#preemptedSteps,
      memory: { ...memory, kvTouched: Math.round((memory.kvCache * this.pool.touched) / this.pool.total) },
    };
  }

  async #withAdapter<T>({ adapter: name }: SessionRequest, work: (adapter?: AdapterInUse) => Promise<T>): Promise<T> {
    if (this.#closing) throw new RealmError('shutting_down', 'the engine is shutting down');
    const adapter = name === undefined ? undefined : this.#adapters.use(name);
    try {
      return await work(adapter);
    } finally {
      if (adapter) this.#adapters.release(adapter);
      this.#sweep();
    }
  }

  /** Runs `work` when no batch is running: at once, or at the end of the step. */
  async #between<T>(work: () => T): Promise<T> {
    if (this.#running) await new Promise<void>(resolve => this.#afterwards.push(resolve));
    return work();
  }

  /** Ends what is left with `shutting_down`, waits for the step in progress and closes the model. */
  async close(): Promise<void> {
    this.#closing = true;
    const error = new RealmError('shutting_down', 'the engine is shutting down: send the request to another server');
    for (const id of [...this.#jobs.keys()]) this.#fail(id, error);
    this.#send();
    await this.#working;
    this.#sweep();
    await this.#model.close();
  }

  #accept(id: number, request: EngineRequest): void {
    if (this.#closing) throw new RealmError('shutting_down', 'the engine is shutting down');
    checkRequest(request, this.#model.vocabSize, this.context);
    const sampling = resolveSampling(request.sampling, this.#model.vocabSize, Math.floor(Math.random() * 2 ** 53));
    const { tenant, tokens, maxTokens, priority = 0, topLogprobs } = request;
    if (!this.scheduler.canSubmit(tenant)) throw this.#queueFull(tenant);
    const limit = Math.min(tokens.length + maxTokens, this.context);
    const pooler = request.embed ? this.#createPooler() : undefined;
    const states = pooler && (pooler.kind === 'last' ? 'last' : 'all');
    const adapter = request.adapter === undefined ? undefined : this.#adapters.use(request.adapter);
    const sequence = createSequence({ id, tenant, priority, limit, prompt: tokens, adapter, states });
    const queueTimer = request.queueMs === undefined ? undefined : this.#limitQueue(id, request.queueMs);
    if (!pooler) this.#speculation?.begin(sequence, sampling);
    this.#jobs.set(id, {
      sequence,
      sampling,
      stopTokens: new Set(request.stopTokens),
      topLogprobs,
      pooler,
      queueTimer,
    });
    this.scheduler.submit(sequence);
    this.#working ??= this.#work();
  }

  /** The last token has seen the whole text: it stands for it where the model does not say. */
  #createPooler(): Pooler {
    const { pooling = 'last', width } = this.#model;
    if (pooling !== 'rank') return new Pooler(pooling, width);
    throw new RealmError('invalid_request', 'the model ranks texts and has no embeddings: use another model', {
      param: 'model',
    });
  }

  #limitQueue(id: number, ms: number): NodeJS.Timeout {
    return setTimeout(() => {
      // It has run: what it waits for now is its own deadline's.
      if (this.#jobs.get(id)?.sequence.cachedTokens !== undefined) return;
      const message = `the request waited ${ms} ms and had not begun: the server is busy`;
      this.#fail(id, new RealmError('queue_timeout', message, { retryAfter: this.#retryAfter.seconds() }));
      this.#sweep();
      this.#send();
    }, ms);
  }

  #queueFull(tenant: string): RealmError {
    const waiting = this.scheduler.queued(tenant);
    const retryAfter = this.#retryAfter.seconds();
    const message = `${waiting} requests of this tenant are waiting already: try again in ${retryAfter} s`;
    return new RealmError('queue_full', message, { retryAfter });
  }

  async #work(): Promise<void> {
    this.#retryAfter.start();
    // The caller's turn ends first, so that requests that are submitted together start together.
    await this.#turn();
    while (this.#jobs.size > 0) {
      await this.#step();
      await this.#turn();
    }
    this.#working = undefined;
  }

  /** Schedule, run, sample, emit. */
  async #step(): Promise<void> {
    this.#running = true;
    const done = await this.#run(this.scheduler.plan()).catch(error => this.#failRunning(error));
    this.#running = false;
    if (done && done.ran.share < 1) this.#preempt(done);
    else if (done) {
      this.scheduler.commit(done.work);
      for (const each of done.ran.ready) this.#sample(each);
      for (const embedded of done.ran.embedded) this.#embed(embedded);
    }
    this.#sweep();
    this.#send();
    this.#steps++;
    for (const resume of this.#afterwards.splice(0)) resume();
  }

  /** The plan, with drafts, through the model. */
  async #run({ copies, work: plan }: Plan): Promise<{ work: readonly Work[]; ran: Ran }> {
    for (const copy of copies) this.#copy(copy);
    const drafted = (await this.#speculation?.drafted(plan)) ?? plan;
    // Some may have been cancelled meanwhile.
    const work = drafted.filter(({ sequence }) => sequence.state === 'running');
    // Nothing fits while a session that is being saved holds pages.
    if (work.length === 0) return { work, ran: { share: 1, ready: [], embedded: [] } };
    const started = this.#clock();
    const ran = await this.#runner.run(work, this.#receive && this.#preempts(work, this.#receive));
    if (ran.share === 1) this.#costs.step(work, this.#clock() - started);
    return { work, ran };
  }

  /** Asks now and then: between two messages of a neighbour a step has time to get on. */
  #preempts(work: readonly Work[], receive: () => void): GiveWay {
    let next = this.#clock() + receiveEveryMs;
    return () => {
      if (this.#clock() < next) return false;
      receive();
      next = this.#clock() + receiveEveryMs;
      return this.scheduler.shouldPreempt(work);
    };
  }

  #preempt({ work, ran }: { work: readonly Work[]; ran: Ran }): void {
    this.scheduler.preemptStep(work, ran.share);
    this.#preemptedSteps++;
  }

  #copy({ from, to }: PageCopy): void {
    this.#model.readPage(from, this.#page);
    this.#model.writePage(to, this.#page);
  }

  #embed({ sequence, row, position, count }: Ran['embedded'][number]): void {
    const pooler = this.#jobs.get(sequence.id)?.pooler;
    // Cancelled while the batch ran.
    if (!pooler) return;
    for (let i = 0; i < count; i++) pooler.add(position + i, this.#model.state(row + i));
    if (position + count < sequence.tokens.length) return;
    this.#promptTokens += sequence.promptTokens;
    const embedding = pooler.vector();
    if (embedding.every(Number.isFinite)) return this.#end(sequence.id, 'stop', embedding);
    this.#fail(sequence.id, new RealmError('engine_failed', 'the model computed values that are not numbers'));
  }

  /**
   * Samples the next token, and goes on as long as it is the one that was drafted: then the row behind it is what plain
   * decoding would compute next, to the bit, and the sampler's choice depends on nothing else. Drafts change no output.
   */
  #sample({ sequence, output, draft }: Ran['ready'][number]): void {
    const job = this.#jobs.get(sequence.id);
    // Cancelled while the batch ran.
    if (!job) return;
    let accepted = 0;
    try {
      for (;;) {
        const logits = this.#model.logits(output + accepted);
        const token = this.#sampler.sample(logits, sequence, job.sampling);
        this.#advance(job, token, logits);
        if (sequence.state !== 'running' || draft[accepted] !== token) break;
        this.scheduler.accept(sequence);
        accepted++;
      }
    } catch (error) {
      this.#fail(sequence.id, asRealmError(error));
    }
    this.scheduler.trim(sequence);
    this.#speculation?.learn(sequence, draft.length, accepted);
    this.#drafted += draft.length;
    this.#accepted += accepted;
  }

  #advance({ sequence, stopTokens, topLogprobs }: Job, token: Token, logits: Float32Array): void {
    if (sequence.tokens.length === sequence.promptTokens) this.#promptTokens += sequence.promptTokens;
    this.#completionTokens++;
    if (stopTokens.has(token)) return this.#end(sequence.id, 'stop');
    const logprob = topLogprobs === undefined ? undefined : this.#sampler.logprob(logits, token, topLogprobs);
    this.scheduler.append(sequence, token);
    this.#events.push([sequence.id, logprob ? { kind: 'token', token, logprob } : { kind: 'token', token }]);
    if (sequence.tokens.length >= sequence.limit) this.#end(sequence.id, 'length');
  }

  #end(id: number, reason: FinishReason, embedding?: Float32Array): void {
    const sequence = this.#take(id, true);
    if (!sequence) return;
    const { tokens, promptTokens, cachedTokens = 0 } = sequence;
    // The token that ends an answer is no part of it, and was computed as the others were.
    const ended = reason === 'stop' && !embedding ? 1 : 0;
    const usage = { promptTokens, cachedTokens, completionTokens: tokens.length - promptTokens + ended };
    this.#events.push([id, { kind: 'end', reason, usage, ...(embedding && { embedding }) }]);
  }

  /** What a failed request leaves in the cache is not trusted. */
  #fail(id: number, error: RealmError): void {
    if (this.#take(id, false)) this.#events.push([id, failure(error)]);
  }

  #failRunning(cause: unknown): void {
    const reason = asRealmError(cause).message;
    const error = new RealmError('engine_failed', `the model failed while the request ran: ${reason}`, { cause });
    for (const { id } of [...this.scheduler.running]) this.#fail(id, error);
  }

  /** The one way out: frees everything that a request holds. */
  #take(id: number, keep: boolean): Sequence | undefined {
    const job = this.#jobs.get(id);
    if (!job) return undefined;
    this.#jobs.delete(id);
    clearTimeout(job.queueTimer);
    this.scheduler.remove(job.sequence, keep);
    if (job.sequence.adapter) this.#adapters.release(job.sequence.adapter);
    this.#retryAfter.ended();
    return job.sequence;
  }

  #sweep(): void {
    if (!this.#running) this.#adapters.sweep();
  }

  #send(): void {
    if (this.#events.length === 0) return;
    const events = this.#events;
    this.#events = [];
    this.#deliver(events);
  }
}

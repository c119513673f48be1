import { platform } from '#platform';
import { type MaybePromise, type Preempt, pageTokens } from '../backend/backend.ts';
import { asRealmError, RealmError } from '../errors.ts';
import type { Reader } from '../gguf/types.ts';
import type { Model } from '../model/types.ts';
import type { Token } from '../tokenizer/types.ts';
import { ActiveRequests } from './active-requests.ts';
import { type AdapterInUse, Adapters } from './adapters.ts';
import { checkRequest, noDecoder, queueFull, queueTimeout } from './admission.ts';
import { BrownOut } from './brown-out.ts';
import { BlockPool } from './cache/block-pool.ts';
import { PrefixCache } from './cache/prefix-cache.ts';
import { type SessionInfo, type SessionRequest, Sessions } from './cache/sessions.ts';
import { StateSlots } from './cache/state-slots.ts';
import { AnswerStates } from './constraint/answer-states.ts';
import { Compiling } from './constraint/compiling.ts';
import type { ConstrainedAnswer } from './constraint/constrained-answer.ts';
import { Constraints } from './constraint/constraints.ts';
import { Counters } from './counters.ts';
import type { EngineParts } from './engine-parts.ts';
import { failure } from './failure.ts';
import { defaults, type EngineOptions } from './options.ts';
import { OutputProcessor } from './output-processor.ts';
import { createPooler, type Pooler } from './pooler.ts';
import { type EngineEvent, type EventBatch, type GenerateRequest, neverBegun, type SequenceId } from './request.ts';
import { type BatchOutput, Runner } from './runner.ts';
import type { Plan, Work } from './scheduler/plan.ts';
import { RetryAfterEstimator } from './scheduler/retry-after-estimator.ts';
import { Scheduler } from './scheduler/scheduler.ts';
import { schedulerOptions } from './scheduler/scheduler-options.ts';
import { StepCosts } from './scheduler/step-costs.ts';
import { createSequence } from './sequence.ts';
import { DraftModel } from './speculation/draft-model.ts';
import { Speculation } from './speculation/speculation.ts';
import type { BrownOutLevel, EngineStats } from './types.ts';
import { wishesOf } from './wishes.ts';
import type { Heartbeat } from './worker/heartbeat.ts';

/** How often a step that runs looks who has come. */
const receiveEveryMs = 2;

/** What a request has by the time that its constraint is compiled and has come to where the request begins. */
interface Prepared {
  readonly constraint: ConstrainedAnswer;
  readonly adapter: AdapterInUse | undefined;
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
  readonly slots: StateSlots;
  readonly cache: PrefixCache;
  readonly scheduler: Scheduler;
  readonly #model: Model;
  readonly #deliver: (events: EventBatch) => void;
  readonly #turn: () => Promise<void>;
  readonly #receive: (() => void) | undefined;
  readonly #attend: (() => void) | undefined;
  readonly #clock: () => number;
  readonly #heartbeat: Heartbeat | undefined;
  readonly #onBroken: ((error: RealmError) => void) | undefined;
  readonly #brownOut: BrownOut | undefined;
  readonly #onBrownOut: ((level: BrownOutLevel) => void) | undefined;
  /** What is given up now. */
  #level: BrownOutLevel = 0;
  readonly #costs = new StepCosts();
  readonly #counters = new Counters();
  readonly #retryAfter = new RetryAfterEstimator();
  readonly #adapters: Adapters;
  readonly #requests: ActiveRequests;
  readonly #constraints: Constraints;
  readonly #answers = new AnswerStates();
  readonly #compiling = new Compiling({
    compiled: (id, { request, adapter }, constraint) => this.#submit(id, request, { constraint, adapter }),
    failed: (id, submission, error) => this.#drop(id, submission, failure(error)),
  });
  readonly #sessions: Sessions;
  readonly #speculation: Speculation;
  readonly #runner: Runner;
  readonly #outputs: OutputProcessor;
  #closing = false;
  /** A batch is running. */
  #running = false;
  /** Waits for the end of the batch that runs. */
  #afterwards: (() => void)[] = [];
  #working: Promise<void> | undefined;

  constructor(model: Model, options: EngineOptions, deliver: (events: EventBatch) => void, parts: EngineParts = {}) {
    const { draft, fingerprint = '', turn = platform.nextTurn, receive, clock = () => performance.now() } = parts;
    this.context = Math.min(options.context ?? Infinity, model.trainedContext, model.pages * pageTokens);
    this.#model = model;
    this.#deliver = deliver;
    this.#turn = turn;
    this.#receive = receive;
    this.#attend = parts.attend;
    this.#clock = clock;
    this.#heartbeat = parts.heartbeat;
    this.#onBroken = parts.onBroken;
    this.#onBrownOut = parts.onBrownOut;
    const { availableMemory } = platform;
    this.#brownOut =
      options.brownOut && new BrownOut(options.brownOut, () => availableMemory() ?? Number.POSITIVE_INFINITY, clock);
    this.pool = new BlockPool(model.pages);
    const { cacheQuota: quota, cacheFloor: floor, sharedPrefixes: shared } = options;
    this.slots = new StateSlots(model.slots);
    this.cache = new PrefixCache(this.pool, { quota, floor, shared }, this.slots);
    this.scheduler = new Scheduler(schedulerOptions(options, model, this.#costs), this.pool, this.cache, this.slots);
    this.#adapters = new Adapters(model);
    this.#requests = new ActiveRequests(this.scheduler, this.#adapters, this.#retryAfter, this.#answers);
    this.#constraints = new Constraints(parts.constraints);
    const between = <T>(work: () => MaybePromise<T>): Promise<T> => this.#between(work);
    this.#sessions = new Sessions({
      model,
      pool: this.pool,
      cache: this.cache,
      slots: this.slots,
      between,
      fingerprint,
    });
    const lookup = (options.speculation ?? defaults.speculation) === 'lookup';
    const drafts = draft && lookup ? new DraftModel(draft, this.pool, model.vocabSize, clock) : undefined;
    this.#speculation = new Speculation(this.scheduler, this.#costs, {
      lookup,
      model: drafts,
      keepsStates: model.slots > 0,
    });
    this.#runner = new Runner(model, this.#requests);
    const { scheduler } = this;
    const [requests, speculation, counters] = [this.#requests, this.#speculation, this.#counters];
    this.#outputs = new OutputProcessor({ model, scheduler, requests, speculation, counters });
  }

  submit(id: SequenceId, request: GenerateRequest): void {
    this.#submit(id, request);
  }

  /** Ends the request at once, wherever it is; nothing happens when it has ended already. */
  cancel(id: SequenceId): void {
    const compiling = this.#compiling.take(id);
    if (compiling) return this.#drop(id, compiling, neverBegun(compiling.request));
    this.#requests.end(id, 'cancelled');
    this.#emit();
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
  async saveSession(request: SessionRequest, tokens: readonly Token[]): Promise<SessionInfo> {
    if (this.#pressure() === 2)
      throw new RealmError('engine_unavailable', 'no sessions are saved while so many wait', { retryAfter: 60 });
    return this.#withAdapter(request, adapter => this.#sessions.save(request, tokens, adapter));
  }

  /** Puts a saved sequence into the tenant's cache. */
  async restoreSession(request: SessionRequest): Promise<SessionInfo> {
    // What it would bring is computed anew: no answer needs it.
    if (this.#pressure() === 2) return { tokens: 0, computed: 0 };
    return this.#withAdapter(request, adapter => this.#sessions.restore(request, adapter));
  }

  stats(): EngineStats {
    const brownOut = this.#pressure();
    const memory = this.#model.memory();
    return {
      running: this.scheduler.running.size,
      waiting: this.scheduler.waiting,
      tenants: this.scheduler.loads(),
      pagesTotal: this.pool.total,
      pagesUsed: this.pool.used,
      pagesCached: this.cache.idlePages,
      ...this.#counters,
      brownOut,
      memory: { ...memory, kvTouched: Math.round((memory.kvCache * this.pool.touched) / this.pool.total) },
    };
  }

  /** What is to be given up, looked at now. */
  #pressure(): BrownOutLevel {
    const level = this.#brownOut?.look(this.scheduler.waiting) ?? 0;
    if (level !== this.#level) {
      this.#level = level;
      this.#onBrownOut?.(level);
    }
    return level;
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
  async #between<T>(work: () => MaybePromise<T>): Promise<T> {
    if (this.#running) await new Promise<void>(resolve => this.#afterwards.push(resolve));
    return work();
  }

  /** Ends what is left with `shutting_down`, waits for the step in progress and closes the model. */
  async close(): Promise<void> {
    this.#closing = true;
    const error = new RealmError('shutting_down', 'the engine is shutting down: send the request to another server');
    for (const id of this.#compiling.ids()) {
      const compiling = this.#compiling.take(id);
      if (compiling) this.#drop(id, compiling, failure(error));
    }
    for (const id of this.#requests.ids()) this.#requests.fail(id, error);
    this.#emit();
    await this.#constraints.close();
    await this.#working;
    this.#sweep();
    await this.#model.close();
  }

  #submit(id: SequenceId, request: GenerateRequest, prepared?: Prepared): void {
    try {
      this.#accept(id, request, prepared);
    } catch (error) {
      this.#drop(id, prepared, failure(asRealmError(error)));
    }
  }

  #adapterOf({ adapter }: GenerateRequest): AdapterInUse | undefined {
    return adapter === undefined ? undefined : this.#adapters.use(adapter);
  }

  /** Ends a request that has not come to the queue. */
  #drop(id: SequenceId, { adapter }: Partial<Prepared> = {}, event: EngineEvent): void {
    if (adapter) this.#adapters.release(adapter);
    this.#sweep();
    this.#deliver([[id, event]]);
  }

  #accept(id: SequenceId, request: GenerateRequest, prepared?: Prepared): void {
    if (this.#closing) throw new RealmError('shutting_down', 'the engine is shutting down');
    checkRequest(request, this.#model.vocabSize, this.context);
    const wishes = wishesOf(request, this.#model.vocabSize);
    const { tenant, prompt, answered = 0, maxTokens = this.context, priority = 0, keepsTail } = request;
    const compiling = this.#compiling.of(tenant);
    if (request.share) this.scheduler.setShare(tenant, request.share);
    if (!this.scheduler.canSubmit(tenant, compiling))
      throw queueFull(this.scheduler.queued(tenant) + compiling, this.#retryAfter.seconds());
    const constraint = prepared ? prepared.constraint : this.#constrained(request);
    const pooler = request.embed ? createPooler(this.#model, request) : undefined;
    if (!pooler && this.#model.encoder) throw noDecoder(this.#model);
    const adapter = prepared ? prepared.adapter : this.#adapterOf(request);
    if (constraint instanceof Promise) return this.#compiling.add(id, { request, adapter }, constraint);
    const limit = Math.min(prompt.length + maxTokens, this.context);
    const states = pooler !== undefined;
    const rowsFrom = this.#model.encoder || wantsAllRows(request, pooler) ? 0 : undefined;
    const owner = { id, tenant, priority, adapter };
    const sequence = createSequence({ ...owner, limit, prompt, answered, states, rowsFrom, keepsTail });
    const queueTimer = request.queueMs === undefined ? undefined : this.#limitQueue(id, request.queueMs);
    const stopTokens = new Set([...(request.stopTokens ?? []), ...(constraint?.endTokens ?? [])]);
    if (!pooler) this.#speculation.begin(sequence, wishes.sampling, constraint, request.draft);
    this.#requests.add({ sequence, ...wishes, stopTokens, constraint, pooler, queueTimer });
    this.#working ??= this.#work();
  }

  /** Where its answer begins in what it must be; a promise while that is compiled or far. */
  #constrained(request: GenerateRequest): ConstrainedAnswer | Promise<ConstrainedAnswer> | undefined {
    const { tenant, prompt, answered = 0, constraint, embed } = request;
    if (!constraint || embed) return undefined;
    const begun = prompt.slice(prompt.length - answered);
    const found = this.#constraints.get(tenant, constraint);
    if (!(found instanceof Promise)) return this.#answers.begin(found, begun);
    const coming = found.then(compiled => this.#answers.begin(compiled, begun));
    // The request may be refused for something else before it waits for it.
    coming.catch(() => {});
    return coming;
  }

  #limitQueue(id: SequenceId, ms: number): ReturnType<typeof setTimeout> {
    return setTimeout(() => {
      // It has run: what it waits for now is its own deadline's.
      if (this.#requests.get(id)?.sequence.cachedTokens !== undefined) return;
      this.#requests.fail(id, queueTimeout(ms, this.#retryAfter.seconds()));
      this.#emit();
    }, ms);
  }

  async #work(): Promise<void> {
    this.#retryAfter.start();
    // The caller's turn ends first, so that requests that are submitted together start together.
    await this.#turn();
    while (this.#requests.size > 0) {
      await this.#step();
      if (this.#requests.takeGoesOn() && this.#requests.size === 0) this.#attend?.();
      await this.#turn();
    }
    this.#working = undefined;
  }

  /** Plan, run, sample, emit. */
  async #step(): Promise<void> {
    this.#running = true;
    this.#heartbeat?.begin();
    const output = await this.#run(this.scheduler.plan()).catch(error => this.#failRunning(error));
    this.#running = false;
    if (output && output.fraction < 1) this.#preempt(output);
    else if (output) this.#outputs.process(output);
    this.#emit();
    this.#counters.steps++;
    this.#pressure();
    for (const resume of this.#afterwards.splice(0)) resume();
    this.#heartbeat?.end();
  }

  /** The plan, with drafts, through the model. */
  async #run(plan: Plan): Promise<BatchOutput> {
    this.#runner.copy(plan);
    const speculation = this.#level === 0 ? this.#speculation : undefined;
    const drafted = (await speculation?.drafted(plan.work)) ?? plan.work;
    // Some may have been cancelled meanwhile.
    const work = drafted.filter(({ sequence }) => sequence.state === 'running');
    // Nothing fits while a session that is being saved holds pages.
    if (work.length === 0) return { work, fraction: 1, scored: [], sampled: [], embedded: [] };
    const started = this.#clock();
    const output = await this.#runner.run(work, this.#receive && this.#preemption(work, this.#receive));
    if (output.fraction === 1) this.#costs.step(work, this.#clock() - started);
    return output;
  }

  /** Asks now and then: between two messages of a neighbour a step has time to get on. */
  #preemption(work: readonly Work[], receive: () => void): Preempt {
    let next = this.#clock() + receiveEveryMs;
    return () => {
      if (this.#clock() < next) return false;
      receive();
      next = this.#clock() + receiveEveryMs;
      return this.scheduler.shouldPreempt(work);
    };
  }

  #preempt({ work, fraction }: BatchOutput): void {
    this.scheduler.preemptStep(work, fraction);
    this.#counters.preemptedSteps++;
  }

  #failRunning(cause: unknown): void {
    const reason = asRealmError(cause).message;
    const error = new RealmError('engine_failed', `the model failed while the request ran: ${reason}`, { cause });
    // The backend's own word for it: a thread is gone, a kernel failed.
    if (asRealmError(cause).code === 'engine_failed') this.#onBroken?.(error);
    for (const { id } of [...this.scheduler.running]) this.#requests.fail(id, error);
  }

  #emit(): void {
    this.#sweep();
    this.#requests.flush(this.#deliver);
  }

  /** Frees the adapters that nobody uses any more. */
  #sweep(): void {
    if (!this.#running) this.#adapters.sweep();
  }
}

/** Whether each token of the prompt is worth something of its own; a single one is the last one. */
function wantsAllRows({ prompt, promptLogprobs }: GenerateRequest, pooler: Pooler | undefined): boolean {
  if (pooler) return pooler.kind !== 'last';
  return promptLogprobs !== undefined && prompt.length > 1;
}

import { setImmediate as turn } from 'node:timers/promises';
import { type Owner, type Work, WorkTurns } from '../../engine/scheduler/work-turns.ts';
import { RealmError } from '../../errors.ts';
import type { ModelText, TextModel } from '../../llm/model-text.ts';
import type { TextSample } from '../../telemetry/metrics.ts';
import { finish, type Steps } from '../../tokenizer/steps.ts';
import { type JobInput, type JobName, type JobOutput, jobs } from './jobs.ts';
import type { Failure, FromText } from './messages.ts';
import { TextThread } from './thread.ts';

/** Whose work it is, and on which model's text. */
export interface TextCall {
  readonly owner: Owner;
  readonly model?: TextModel;
  /** Aborted: nobody waits for it any more; the reason is thrown. */
  readonly signal: AbortSignal;
}

/** One finished piece of work. */
export type TextObserver = (sample: TextSample) => void;

export interface TextServiceOptions {
  /** The largest body. */
  readonly bodyBytes: number;
  /** Most that the thread for long texts may hold. Default: what vocabularies and the values of such bodies take. */
  readonly heapMb?: number;
  readonly observe?: TextObserver;
}

const heapFor = (bodyBytes: number) => 1024 + Math.ceil((64 * bodyBytes) / 2 ** 20);

interface Long extends Work, TextCall {
  readonly id: number;
  readonly name: JobName;
  readonly input: unknown;
  readonly result: PromiseWithResolvers<unknown>;
  readonly cancel: () => void;
  ms: number;
  state: 'waiting' | 'begun' | 'left';
}

/** How long the short work of one turn of the event loop may take together. */
const turnMs = 8;
/** What one turn hands to other threads together, and what need not be counted: copying a megabyte takes half a millisecond. */
const turnBytes = 2 << 20;
const fewBytes = 64 << 10;
/** Turns that short work waits for time before it goes where the long is. */
const soon = 8;

/**
 * All work on text whose size a tenant chooses. What is short is done at once, as far as this turn of the event loop
 * has time for it; the rest goes to a thread of its own, in slices, to whichever tenant has had least of it.
 */
export class TextService {
  readonly #turns = new WorkTurns<Long>('long texts');
  readonly #thread: TextThread;
  readonly #observe: TextObserver;
  #current: Long | undefined;
  #nextId = 0;
  /** Of this turn's short work. */
  #spentMs = 0;
  /** Bytes that went to other threads in this turn. */
  #handed = 0;

  constructor({ bodyBytes, heapMb = heapFor(bodyBytes), observe = () => {} }: TextServiceOptions) {
    this.#observe = observe;
    this.#thread = new TextThread({
      heapMb,
      onAnswer: answer => this.#answered(answer),
      onLost: reason => this.#lost(reason),
    });
  }

  /** Throws what the job throws, `queue_full`, `text_failed`, and the reason of the signal. */
  async run<N extends JobName>(name: N, call: TextCall, input: JobInput<N>): Promise<JobOutput<N>> {
    call.signal.throwIfAborted();
    const job = jobs[name] as unknown as { size(input: unknown): number; readonly short: number };
    const size = job.size(input);
    const here = call.model !== undefined && call.model.textSource === undefined;
    if (here || (size <= job.short && (await this.#hasTime(call)))) return this.#now(name, call, input);
    return (await this.#later(name, call, input, size)) as JobOutput<N>;
  }

  /** Waits for a turn of the event loop in which so many bytes can be handed to another thread beside those of others. */
  async pace(bytes: number): Promise<void> {
    if (bytes < fewBytes) return;
    while (this.#handed > 0 && this.#handed + bytes > turnBytes) await turn();
    if (this.#handed === 0) void turn().then(() => this.#nextTurn());
    this.#handed += bytes;
  }

  /** Drops what is kept for a model that is no longer loaded. */
  forget({ textSource: source }: TextModel): void {
    if (source) this.#thread.mention({ kind: 'forget', source });
  }

  async close(): Promise<void> {
    await this.#thread.close();
  }

  /** Whether this turn of the event loop, or one soon, has time for short work. */
  async #hasTime({ signal }: TextCall): Promise<boolean> {
    for (let i = 0; i < soon && this.#spentMs >= turnMs; i++) {
      await turn();
      signal.throwIfAborted();
    }
    return this.#spentMs < turnMs;
  }

  #now<N extends JobName>(name: N, { owner, model }: TextCall, input: JobInput<N>): JobOutput<N> {
    if (this.#spentMs === 0) void turn().then(() => this.#nextTurn());
    const started = performance.now();
    try {
      const run = jobs[name].run as (input: JobInput<N>, model: ModelText | undefined) => Steps<JobOutput<N>>;
      return finish(run(input, model));
    } finally {
      // Never 0, which stands for a new turn.
      const ms = Math.max(performance.now() - started, Number.MIN_VALUE);
      this.#spentMs += ms;
      this.#turns.charge(owner, ms);
      this.#observe({ job: name, model: model?.id, ms });
    }
  }

  #nextTurn(): void {
    this.#spentMs = 0;
    this.#handed = 0;
  }

  #later(name: JobName, call: TextCall, input: unknown, bytes: number): Promise<unknown> {
    const work: Long = {
      ...call,
      id: this.#nextId++,
      name,
      input,
      bytes,
      result: Promise.withResolvers(),
      cancel: () => this.#leave(work),
      ms: 0,
      state: 'waiting',
    };
    this.#turns.add(work);
    call.signal.addEventListener('abort', work.cancel, { once: true });
    this.#next();
    return work.result.promise;
  }

  /** A slice for whoever's turn it is. */
  #next(): void {
    if (this.#current) return;
    const work = this.#turns.next();
    if (!work) {
      this.#thread.rest();
      return;
    }
    this.#current = work;
    const { id, name, input, model, state } = work;
    if (state === 'begun') this.#thread.send({ kind: 'go', id });
    else this.#thread.send({ kind: 'start', id, name, input, source: model?.textSource });
    work.state = 'begun';
  }

  #answered({ id, ms, result }: FromText): void {
    const work = this.#current;
    if (!work) throw new Error('The thread for long texts answered without having been asked');
    this.#current = undefined;
    work.ms += ms;
    this.#turns.charge(work.owner, ms);
    if (work.state !== 'left' && result) this.#settle(work, () => deliver(work, result));
    if (work.state === 'left' && !result) this.#thread.send({ kind: 'drop', id });
    this.#next();
  }

  #settle(work: Long, settle: () => void): void {
    this.#turns.remove(work);
    work.signal.removeEventListener('abort', work.cancel);
    this.#observe({ job: work.name, model: work.model?.id, ms: work.ms });
    settle();
  }

  /** Nobody waits for it any more. */
  #leave(work: Long): void {
    if (work.state === 'begun' && work !== this.#current) this.#thread.send({ kind: 'drop', id: work.id });
    work.state = 'left';
    this.#settle(work, () => work.result.reject(work.signal.reason));
  }

  /** What it was working on fails with the thread; whatever else had been begun is begun again in another. */
  #lost(reason: string): void {
    const work = this.#current;
    this.#current = undefined;
    for (const each of this.#turns.values()) each.state = 'waiting';
    if (work && work.state !== 'left') {
      const message = `The thread for long texts failed (${reason}); send the request again, or a shorter one`;
      this.#settle(work, () => work.result.reject(new RealmError('text_failed', message)));
    }
    this.#next();
  }
}

function deliver({ result }: Long, outcome: NonNullable<FromText['result']>): void {
  if ('value' in outcome) result.resolve(outcome.value);
  else result.reject(errorOf(outcome.failure));
}

function errorOf({ code, message, param, stack }: Failure): RealmError {
  const cause = stack === undefined ? undefined : Object.assign(new Error(message), { stack });
  return new RealmError(code, message, { param, cause });
}

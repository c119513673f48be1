import { asRealmError } from '../../errors.ts';
import { failure } from '../failure.ts';
import { type EngineEvent, type GenerateRequest, neverBegun } from '../request.ts';
import type { Engine } from '../types.ts';
import type { Attempt, Circuit, Verdict } from './circuit.ts';

/** Where a request gets its engine from. */
export interface Engines {
  readonly circuit: Circuit;
  /** The one that runs. Throws `engine_unavailable` while none does, `shutting_down`. */
  current(): Engine;
  /** The one after it; rejects with why there is none. */
  after(dead: Engine): Promise<Engine>;
}

type Result = IteratorResult<EngineEvent, undefined>;

const over: Result = { value: undefined, done: true };
const nothing: AsyncIterator<EngineEvent> = { next: async () => over };

/**
 * The events of one request. When its engine dies before the first of them, the request is run again, once, in the next engine: nobody
 * has seen anything of it, and the same seed gives the same bytes. From the first event on they are the engine's own, untouched.
 */
export class RestartedStream implements AsyncIterableIterator<EngineEvent, undefined> {
  readonly #engines: Engines;
  readonly #request: GenerateRequest;
  readonly #signal: AbortSignal | undefined;
  #events: AsyncIterator<EngineEvent> = nothing;
  #begun = false;
  #left = Promise.withResolvers<undefined>();

  constructor(engines: Engines, request: GenerateRequest, signal: AbortSignal | undefined) {
    this.#engines = engines;
    this.#request = request;
    this.#signal = signal;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Result> {
    // The path of every token.
    if (this.#begun) return this.#events.next() as Promise<Result>;
    return this.#first();
  }

  async return(): Promise<Result> {
    this.#begun = true;
    this.#left.resolve(undefined);
    await this.#events.return?.();
    this.#events = nothing;
    return over;
  }

  async #first(): Promise<Result> {
    try {
      const engine = this.#engines.current();
      const result = await this.#try(engine);
      if (!isFault(result) || !engine.ended.aborted || this.#begun) return result;
      const next = await this.#wait(this.#engines.after(engine));
      return next ? await this.#try(next) : this.#last(neverBegun(this.#request));
    } catch (error) {
      return this.#last(failure(asRealmError(error)));
    } finally {
      this.#begun = true;
    }
  }

  #try(engine: Engine): Promise<Result> {
    return this.#engines.circuit.run(async (): Promise<Attempt<Result>> => {
      this.#events = engine.submit(this.#request, this.#signal)[Symbol.asyncIterator]();
      const value = (await this.#events.next()) as Result;
      return { value, verdict: verdictOf(value, engine) };
    });
  }

  /** Undefined: nobody waits any more. */
  async #wait(engine: Promise<Engine>): Promise<Engine | undefined> {
    const leave = (): void => this.#left.resolve(undefined);
    this.#signal?.addEventListener('abort', leave, { once: true });
    if (this.#signal?.aborted) leave();
    try {
      return await Promise.race([this.#left.promise, engine]);
    } finally {
      this.#signal?.removeEventListener('abort', leave);
    }
  }

  #last(value: EngineEvent): Result {
    this.#events = nothing;
    return { value, done: false };
  }
}

/** The engine's own fault: it died, stood still or failed in a step. */
function isFault({ value }: Result): boolean {
  return value?.kind === 'error' && value.code === 'engine_failed';
}

function verdictOf(result: Result, { ended }: Engine): Verdict {
  if (isFault(result)) return ended.aborted ? 'died' : 'failed';
  const { value } = result;
  const computed = value && value.kind !== 'error' && !(value.kind === 'end' && value.reason === 'cancelled');
  return computed ? 'works' : 'nothing';
}

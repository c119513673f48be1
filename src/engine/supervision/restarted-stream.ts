import { asRealmError } from '../../errors.ts';
import type { Token } from '../../tokenizer/types.ts';
import { failure } from '../failure.ts';
import { type EngineEvent, type EngineUsage, type GenerateRequest, neverBegun } from '../request.ts';
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
 * The events of one request. When its engine dies, the request goes on, once, in the next engine: what its reader has is the
 * beginning of the answer there, computed like a prompt. With a seed the bytes are those that the dead one would have said.
 */
export class RestartedStream implements AsyncIterableIterator<EngineEvent, undefined> {
  readonly #engines: Engines;
  readonly #request: GenerateRequest;
  readonly #signal: AbortSignal | undefined;
  #engine: Engine | undefined;
  #events: AsyncIterator<EngineEvent> = nothing;
  #begun = false;
  #again = false;
  /** What the reader has of the answer. */
  readonly #tokens: Token[] = [];
  /** How many of them the engine was given with the prompt. */
  #given = 0;
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
    if (!this.#begun) return this.#first();
    // The path of every token.
    return (this.#events.next() as Promise<Result>).then(this.#pass);
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
      return this.#pass(await this.#try(this.#engines.current()));
    } catch (error) {
      return this.#last(failure(asRealmError(error)));
    } finally {
      this.#begun = true;
    }
  }

  readonly #pass = (result: Result): Result | Promise<Result> => {
    const { value } = result;
    if (value?.kind === 'token') this.#tokens.push(value.token);
    else if (isFault(result)) return this.#goOn(result);
    else if (value?.kind === 'end' && this.#given > 0) return this.#last({ ...value, usage: this.#usage(value.usage) });
    return result;
  };

  /** In the next engine, once. Who has something else than tokens, a part of a prompt's log-probabilities, would get it twice. */
  async #goOn(fault: Result): Promise<Result> {
    const dead = this.#engine;
    if (this.#again || !dead?.ended.aborted || (this.#begun && this.#tokens.length === 0)) return fault;
    this.#again = true;
    try {
      const next = await this.#wait(this.#engines.after(dead));
      if (!next) return this.#last(this.#ended('cancelled'));
      // The dead one had said all but the end.
      if (this.#isFull(next)) return this.#last(this.#ended('length'));
      return await this.#pass(await this.#try(next));
    } catch (error) {
      return this.#last(failure(asRealmError(error)));
    }
  }

  #try(engine: Engine): Promise<Result> {
    return this.#engines.circuit.run(async (): Promise<Attempt<Result>> => {
      this.#engine = engine;
      this.#events = engine.submit(this.#rest(), this.#signal)[Symbol.asyncIterator]();
      const value = (await this.#events.next()) as Result;
      return { value, verdict: verdictOf(value, engine) };
    });
  }

  /** What is left of the request. */
  #rest(): GenerateRequest {
    this.#given = this.#tokens.length;
    if (this.#given === 0) return this.#request;
    const { prompt, answered = 0, maxTokens } = this.#request;
    return {
      ...this.#request,
      prompt: [...prompt, ...this.#tokens],
      answered: answered + this.#given,
      maxTokens: maxTokens === undefined ? undefined : maxTokens - this.#given,
      // They were for its first token, or for what comes before.
      ...{ draft: undefined, firstMask: undefined, promptLogprobs: undefined, queueMs: undefined },
    };
  }

  /** What the request used, as if one engine had run it. */
  #usage({ cachedTokens, completionTokens }: EngineUsage): EngineUsage {
    const promptTokens = this.#request.prompt.length;
    return {
      promptTokens,
      cachedTokens: Math.min(cachedTokens, promptTokens),
      completionTokens: this.#given + completionTokens,
    };
  }

  /** Whether no token can follow. */
  #isFull({ info }: Engine): boolean {
    const { prompt, maxTokens = info.context } = this.#request;
    const { length } = this.#tokens;
    return length > 0 && (length >= maxTokens || prompt.length + length >= info.context);
  }

  #ended(reason: 'cancelled' | 'length'): EngineEvent {
    if (this.#tokens.length === 0) return neverBegun(this.#request);
    this.#given = this.#tokens.length;
    const usage = this.#usage({ promptTokens: 0, cachedTokens: 0, completionTokens: 0 });
    return { kind: 'end', reason, usage };
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

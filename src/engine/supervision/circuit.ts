import {
  type CircuitBreakerPolicy,
  ConsecutiveBreaker,
  circuitBreaker,
  handleWhenResult,
  CircuitState as State,
} from 'cockatiel';
import { RealmError } from '../../errors.ts';
import type { CircuitState } from '../types.ts';

export interface CircuitOptions {
  /** Failures in a row, without an answer between them, that open it. Default 3. */
  readonly failures?: number | undefined;
  /** How long it stays open before a request is let through to see. Default 10 s. */
  readonly openMs?: number | undefined;
  readonly onChange?: ((state: CircuitState) => void) | undefined;
}

/**
 * What an attempt says of the engine: it works; it failed by its own fault; or nothing, since the request was refused or nobody waited.
 * `died`: it failed with its engine, which counts once, see {@link Circuit.fail}, however many requests it takes along.
 */
export type Verdict = 'works' | 'failed' | 'died' | 'nothing';

export interface Attempt<T> {
  readonly verdict: Verdict;
  readonly value: T;
}

/** Goes past the policy, which takes all but errors that it does not know for a success. */
class SaysNothing<T> extends Error {
  readonly value: T;

  constructor(value: T) {
    super();
    this.value = value;
  }
}

/**
 * The circuit breaker of one model (Nygard, "Release It!"). Only what is the engine's own fault opens it: that it died, stood still,
 * was not to be opened or failed in a step. Refusals for want of room, bad requests and aborts count as nothing.
 */
export class Circuit {
  readonly #policy: CircuitBreakerPolicy;
  readonly #openMs: number;
  #openUntil = 0;

  constructor({ failures = 3, openMs = 10_000, onChange = () => {} }: CircuitOptions = {}) {
    this.#openMs = openMs;
    const counts = handleWhenResult(attempt => (attempt as Attempt<unknown>).verdict !== 'works');
    this.#policy = circuitBreaker(counts, { breaker: new ConsecutiveBreaker(failures), halfOpenAfter: openMs });
    this.#policy.onBreak(() => {
      this.#openUntil = Date.now() + openMs;
    });
    this.#policy.onStateChange(() => onChange(this.state));
  }

  /** One whose wait is over counts as half open: somebody has to come and try. */
  get state(): CircuitState {
    switch (this.#policy.state) {
      case State.Open:
        return Date.now() < this.#openUntil ? 'open' : 'half-open';
      case State.HalfOpen:
        return 'half-open';
      default:
        return 'closed';
    }
  }

  /** Lets an attempt through. Throws `engine_unavailable` while it is open, or another is seeing whether it may close. */
  async run<T>(attempt: () => Promise<Attempt<T>>): Promise<T> {
    if (this.state === 'open' || this.#policy.state === State.HalfOpen) throw this.#refusal();
    try {
      const { value } = await this.#policy.execute(async () => {
        const made = await attempt();
        if (!this.#counts(made)) throw new SaysNothing(made.value);
        return made;
      });
      return value;
    } catch (error) {
      if (error instanceof SaysNothing) return error.value;
      throw error;
    }
  }

  /** Counts the end of an engine. While a request sees whether the circuit may close, that request counts. */
  fail(): void {
    if (this.#policy.state !== State.Closed) return;
    void this.#policy.execute(async () => ({ verdict: 'failed', value: undefined }) satisfies Attempt<undefined>);
  }

  #counts({ verdict }: Attempt<unknown>): boolean {
    if (verdict === 'died') return this.#policy.state === State.HalfOpen;
    return verdict !== 'nothing';
  }

  #refusal(): RealmError {
    const leftMs = Math.max(this.#openUntil - Date.now(), this.#openMs / 10);
    const message = 'the model fails again and again; a request is tried now and then to see whether it works';
    return new RealmError('engine_unavailable', message, { retryAfter: Math.ceil(leftMs / 1000) });
  }
}

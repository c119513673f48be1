import type { EngineUsage } from '../engine/request.ts';

/** Whose a call to an engine is: a request may make many, and each is known by its number. */
export interface CallOwner {
  readonly tenant: string;
  /** The public id of the key that was used; undefined on a server without keys. */
  readonly keyId: string | undefined;
  /** The answer's `x-request-id`. */
  readonly requestId: string;
  /** Of the request's calls, from 0. */
  readonly call: number;
  /** Models that calls of the same request were granted: a request counts once, and once for each of them. */
  readonly counted: Set<string>;
}

/** One call to an engine, before it is made. */
export interface EngineCall extends CallOwner {
  readonly model: string;
  readonly adapter: string | undefined;
  readonly promptTokens: number;
  /** Most tokens that it may generate; 0 for an embedding. */
  readonly maxTokens: number;
  /** Nobody said how many tokens: `maxTokens` is what the context has room for. */
  readonly openEnded?: boolean | undefined;
}

/** How a call ended. `interrupted`: the server did not live to see it. */
export type CallStatus = 'complete' | 'cancelled' | 'failed' | 'interrupted';

/** The right to make one call. Whoever has it settles it, however the call ends. */
export interface Reservation {
  /** Most tokens that it may generate: what was asked for, or what is left of it. At least 1 where any were asked for. */
  readonly maxTokens: number;
  /** What the call has used until now. */
  count(usage: EngineUsage): void;
  /**
   * Resolves when the call is on record; what it did not use is given back at once. Later calls do nothing.
   * `wanted`: nobody waits for the record until then, so that it may be made with those of others.
   */
  settle(status: CallStatus, wanted?: Promise<void>): Promise<void>;
}

/** Decides which calls may be made. Reserves the most that a call can cost and settles what it did: nothing is spent that was not there. */
export interface Meter {
  /** Throws `insufficient_quota`, `rate_limit_exceeded`, `store_unavailable`. */
  reserve(call: EngineCall): Promise<Reservation>;
  /** What a tenant may use and has used; absent where there are no budgets. */
  budgetsOf?(tenant: string): Promise<readonly BudgetState[]>;
}

/** A budget in its present period. */
export interface BudgetState {
  readonly unit: 'tokens' | 'requests' | 'money';
  readonly period: 'day' | 'month' | 'total';
  /** Absent: of all models. */
  readonly model?: string | undefined;
  readonly limit: number;
  readonly spent: number;
}

/** Nothing is limited and nothing written down. */
export const unmetered: Meter = {
  async reserve({ maxTokens }) {
    return { maxTokens, count: () => {}, settle: async () => {} };
  },
};

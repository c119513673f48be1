import { QUERIES_PER_SECOND, QUERY_BURST } from './limits.ts';

const INTERVAL_MS = 1000 / QUERIES_PER_SECOND;
/** Tenants that are remembered. */
const MAX_TENANTS = 10_000;

/** How fast tenants' programs are answered, so that loops of queries do not take the server's time from others. */
export class QueryPace {
  /** Until when each tenant's queries have used up the time that is theirs. */
  readonly #until = new Map<string, number>();

  /** How long the answer to one more query must wait, ms. */
  delayMs(tenant: string, now = performance.now()): number {
    const until = Math.max(this.#until.get(tenant) ?? 0, now - QUERY_BURST * INTERVAL_MS) + INTERVAL_MS;
    this.#until.delete(tenant);
    if (this.#until.size >= MAX_TENANTS) this.#until.delete(this.#until.keys().next().value!);
    this.#until.set(tenant, until);
    return Math.max(0, until - now);
  }
}

import type { Clock, Timings } from './clock.ts';
import type { Ledger } from './ledger.ts';

/**
 * Finds replicas that died and settles what they left. A replica's clock is only compared with itself: it lives while the time that it writes
 * changes, so that clocks may be wrong and may jump.
 */
export class Undertaker {
  readonly #ledger: Ledger;
  readonly #clock: Clock;
  readonly #timings: Timings;
  #seen = new Map<string, { readonly at: number; readonly since: number }>();
  #looking = false;

  constructor(ledger: Ledger, clock: Clock, timings: Timings) {
    this.#ledger = ledger;
    this.#clock = clock;
    this.#timings = timings;
  }

  /** For a server that has the store alone: all others are dead. */
  async buryAll(): Promise<void> {
    for (const { id } of await this.#ledger.replicas()) await this.#ledger.bury(id);
  }

  async look(own: string): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      await this.#bury(own);
    } catch {
      // While the store is gone nobody can give a sign of life.
      this.#seen.clear();
    } finally {
      this.#looking = false;
    }
  }

  async #bury(own: string): Promise<void> {
    const begun = this.#clock.steady();
    const replicas = await this.#ledger.replicas();
    const seen = new Map<string, { at: number; since: number }>();
    for (const { id, seen_at: at } of replicas) {
      const before = this.#seen.get(id);
      const since = before?.at === at ? before.since : begun;
      if (id !== own && begun - since > this.#timings.deadMs) await this.#ledger.bury(id);
      else seen.set(id, { at, since });
    }
    this.#seen = seen;
  }
}

import type { Clock, Timings } from './clock.ts';
import type { Ledger } from './ledger.ts';

/** What is known of a replica: the time that it last wrote, and for how long it could have written another. */
interface Sign {
  readonly at: number;
  readonly quietMs: number;
}

/**
 * Finds replicas that died and settles what they left. A replica's clock is only compared with itself: it lives while the time that it writes
 * changes, so that clocks may be wrong and may jump. Time in which the store is gone does not count, since nobody can write then.
 */
export class Undertaker {
  readonly #ledger: Ledger;
  readonly #clock: Clock;
  readonly #timings: Timings;
  #signs = new Map<string, Sign>();
  #lookedAt: number | undefined;
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
      // The store is gone; the next look tells more.
    } finally {
      this.#looking = false;
    }
  }

  async #bury(own: string): Promise<void> {
    const now = this.#clock.steady();
    const replicas = await this.#ledger.replicas();
    const { beatMs, deadMs } = this.#timings;
    const passed = Math.min(2 * beatMs, now - (this.#lookedAt ?? now));
    this.#lookedAt = now;
    const before = this.#signs;
    this.#signs = new Map();
    for (const { id, seen_at: at } of replicas) {
      const sign = before.get(id);
      const quietMs = sign?.at === at ? sign.quietMs + passed : 0;
      this.#signs.set(id, { at, quietMs });
      if (id !== own && quietMs > deadMs) await this.#ledger.bury(id);
    }
  }
}

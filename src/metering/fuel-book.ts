import { type Kysely, sql } from 'kysely';
import type { StoreTables, UsageTable } from '../store/schema.ts';
import { dayOf } from './periods.ts';

/** Whose program it was, and for which model it was run. */
export type FuelOwner = Pick<UsageTable, 'tenant' | 'key_id' | 'model' | 'adapter'>;

interface Sum extends FuelOwner {
  readonly day: number;
  fuel: number;
}

const writeMs = 1_000;
/** Sums that wait for a store that is gone. */
const mostSums = 10_000;

/** Fuel of tenants' programs, on its way to the ledger's sums: once a second, since no budget counts it. */
export class FuelBook {
  readonly #db: Kysely<StoreTables>;
  readonly #now: () => number;
  readonly #timer: NodeJS.Timeout;
  #sums = new Map<string, Sum>();
  #writing: Promise<void> = Promise.resolve();

  constructor(db: Kysely<StoreTables>, now: () => number = Date.now) {
    this.#db = db;
    this.#now = now;
    // What fails is tried again next time.
    this.#timer = setInterval(() => void this.write().catch(() => {}), writeMs).unref();
  }

  note(owner: FuelOwner, fuel: number): void {
    if (fuel > 0) this.#add({ ...owner, day: dayOf(this.#now()), fuel });
  }

  /** Resolves when all that was noted is in the store. */
  write(): Promise<void> {
    this.#writing = this.#writing.catch(() => {}).then(() => this.#write());
    return this.#writing;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.write().catch(() => {});
  }

  async #write(): Promise<void> {
    const sums = this.#sums;
    if (sums.size === 0) return;
    this.#sums = new Map();
    try {
      await this.#db.transaction().execute(async trx => {
        for (const sum of sums.values()) {
          await trx
            .insertInto('usage')
            .values({ ...sum, ...nothing })
            .onConflict(conflict =>
              conflict
                .columns(['tenant', 'day', 'key_id', 'model', 'adapter'])
                .doUpdateSet({ fuel: sql`usage.fuel + ${sum.fuel}` }),
            )
            .execute();
        }
      });
    } catch (error) {
      for (const sum of sums.values()) this.#add(sum);
      throw error;
    }
  }

  #add(sum: Sum): void {
    const id = JSON.stringify([sum.tenant, sum.day, sum.key_id, sum.model, sum.adapter]);
    const known = this.#sums.get(id);
    if (known) known.fuel += sum.fuel;
    else if (this.#sums.size < mostSums) this.#sums.set(id, { ...sum });
  }
}

const nothing = {
  calls: 0,
  requests: 0,
  model_requests: 0,
  input_tokens: 0,
  cached_tokens: 0,
  output_tokens: 0,
  cost: 0,
};

import { randomBytes } from 'node:crypto';
import type { EngineUsage } from '../engine/request.ts';
import type { Store } from '../store/open.ts';
import { type Budget, type BudgetSource, budgetId, mostOf, tokensWithin, type Wish, wholeLimit } from './budgets.ts';
import { type Clock, defaultTimings, systemClock, type Timings } from './clock.ts';
import { Committer } from './committer.ts';
import { Lease } from './lease.ts';
import type { Ledger } from './ledger.ts';
import type { BudgetState, CallStatus, EngineCall, Meter, Reservation } from './meter.ts';
import { Periods } from './periods.ts';
import { billionths, type Price, type Tariff, tariffOf } from './prices.ts';
import { refusal } from './refusal.ts';
import { Running } from './running.ts';
import { type OnSpent, SqlLedger } from './sql-ledger.ts';
import { Undertaker } from './undertaker.ts';

export interface LedgerMeterOptions {
  readonly ledger: Ledger;
  /** No other server uses the store. */
  readonly exclusive: boolean;
  readonly budgetsOf: BudgetSource;
  priceOf(model: string): Price | undefined;
  readonly clock?: Clock;
  readonly timings?: Timings;
  newReplicaId?(): string;
}

const free = tariffOf({ input: 0, output: 0 });

/** Every call is put on record, and no budget is overspent: by leases, from which calls are granted without asking the store. */
export class LedgerMeter implements Meter {
  readonly #options: LedgerMeterOptions;
  readonly #clock: Clock;
  readonly #periods = new Periods();
  readonly #leases = new Map<string, Lease>();
  readonly #tariffs = new Map<string, { readonly price: Price; readonly tariff: Tariff }>();
  readonly #committer: Committer;
  readonly #undertaker: Undertaker;
  readonly #timings: Timings;
  #callOffBeat = () => {};

  private constructor(options: LedgerMeterOptions) {
    this.#options = options;
    const { ledger, exclusive, clock = systemClock, timings = defaultTimings } = options;
    this.#clock = clock;
    this.#timings = timings;
    this.#committer = new Committer({
      ledger,
      clock,
      timings,
      exclusive,
      newReplicaId: options.newReplicaId ?? (() => `rep_${randomBytes(9).toString('hex')}`),
      leases: () => this.#leases.values(),
    });
    this.#undertaker = new Undertaker(ledger, clock, timings);
  }

  /** First settles what dead servers left behind, as far as it is known that they are dead. */
  static async open(options: LedgerMeterOptions): Promise<LedgerMeter> {
    const meter = new LedgerMeter(options);
    if (options.exclusive) await meter.#undertaker.buryAll();
    meter.#beat();
    return meter;
  }

  static onStore(
    store: Store,
    { onSpent, ...options }: Omit<LedgerMeterOptions, 'ledger' | 'exclusive'> & { readonly onSpent?: OnSpent },
  ): Promise<LedgerMeter> {
    return LedgerMeter.open({ ...options, ledger: new SqlLedger(store, onSpent), exclusive: store.kind === 'sqlite' });
  }

  async reserve(call: EngineCall): Promise<Reservation> {
    this.#committer.refuseAlone();
    const at = this.#clock.now();
    const leases = this.#leasesOf(call, at);
    for (const lease of leases) lease.waiting++;
    try {
      return await this.#granted(call, leases, at);
    } finally {
      for (const lease of leases) lease.waiting--;
    }
  }

  /** Asks the store for what is short until there is room, or no more to have. */
  async #granted(call: EngineCall, leases: readonly Lease[], at: number): Promise<Reservation> {
    const tariff = this.#tariffOf(call.model);
    const exhausted = new Set<Lease>();
    for (;;) {
      // Another call of the same request may have been granted meanwhile. From this look to the grant nobody else has a turn.
      const wish = wishOf(call, tariff);
      const possible = { ...wish, maxTokens: most(exhausted, wish) };
      const needOf = ({ budget }: Lease) => mostOf(budget, possible);
      const short = leases.filter(lease => !exhausted.has(lease) && lease.room < needOf(lease));
      if (short.length === 0) return this.#grant(call, possible, leases, at);
      const given = await Promise.all(short.map(lease => this.#committer.draw(lease, needOf(lease))));
      for (const [i, lease] of short.entries()) if (!given[i]) exhausted.add(lease);
    }
  }

  /** Of the tenant, for all its keys. */
  async budgetsOf(tenant: string): Promise<BudgetState[]> {
    const periods = this.#periods.at(this.#clock.now());
    const budgets = this.#options.budgetsOf(tenant, undefined);
    const idOf = (budget: Budget) => budgetId(budget, tenant, periods[budget.period]);
    const spent = await this.#options.ledger.spent(budgets.map(idOf));
    return budgets.map(budget => {
      const { unit, period, model, limit } = budget;
      const counted = spent.get(idOf(budget)) ?? 0;
      return { unit, period, model, limit, spent: unit === 'money' ? counted / billionths : counted };
    });
  }

  /** Puts on record what has ended and gives back what is not used. */
  async close(): Promise<void> {
    this.#callOffBeat();
    await this.#committer.close();
    // Without the store, others or the next start find what is left.
    await this.#options.ledger.bury(this.#committer.replica).catch(() => {});
  }

  #grant(call: EngineCall, wish: Wish, leases: readonly Lease[], at: number): Reservation {
    const wanted = leases.map(lease => ({ lease, reserved: mostOf(lease.budget, wish) }));
    // A lease that nothing is reserved of may be forgotten before the call ends.
    const parts = wanted.filter(({ reserved }) => reserved > 0);
    for (const { lease, reserved } of parts) {
      lease.used += reserved;
      lease.busy = true;
    }
    call.counted.add(call.model);
    const first = { requests: Number(wish.first), model_requests: Number(wish.firstOfModel) };
    const running = new Running(call, wish.tariff, parts, at, first);
    this.#committer.running.add(running);
    return new Granted(this.#committer, running, wish.maxTokens);
  }

  #leasesOf({ tenant, keyId, model, adapter }: EngineCall, at: number): Lease[] {
    const budgets = this.#options.budgetsOf(tenant, keyId);
    if (budgets.length === 0) return [];
    const periods = this.#periods.at(at);
    const leases = new Map<string, Lease>();
    for (const budget of budgets) {
      if (budget.model !== undefined && budget.model !== model && budget.model !== adapter) continue;
      const lease = this.#leaseOf(budget, tenant, periods);
      // Of two budgets that are the same but for their limit, the smaller one holds.
      lease.limit = Math.min(leases.has(lease.id) ? lease.limit : Number.POSITIVE_INFINITY, wholeLimit(budget));
      leases.set(lease.id, lease);
    }
    return [...leases.values()];
  }

  #leaseOf(budget: Budget, tenant: string, periods: ReturnType<Periods['at']>): Lease {
    const period = periods[budget.period];
    const id = budgetId(budget, tenant, period);
    let lease = this.#leases.get(id);
    if (lease === undefined) {
      lease = new Lease(id, tenant, budget, period, wholeLimit(budget));
      this.#leases.set(id, lease);
    }
    return lease;
  }

  #tariffOf(model: string): Tariff {
    const price = this.#options.priceOf(model);
    if (price === undefined) return free;
    const known = this.#tariffs.get(model);
    if (known?.price === price) return known.tariff;
    const tariff = tariffOf(price);
    this.#tariffs.set(model, { price, tariff });
    return tariff;
  }

  #beat(): void {
    const { beatMs } = this.#timings;
    this.#callOffBeat = this.#clock.after(beatMs, () => {
      for (const [id, lease] of this.#leases) if (lease.idle && this.#committer.isTold(lease)) this.#leases.delete(id);
      this.#committer.beat();
      if (!this.#options.exclusive) void this.#undertaker.look(this.#committer.replica);
      this.#beat();
    });
  }
}

class Granted implements Reservation {
  readonly maxTokens: number;
  readonly #running: Running;
  readonly #committer: Committer;
  #settled: Promise<void> | undefined;

  constructor(committer: Committer, running: Running, maxTokens: number) {
    this.#committer = committer;
    this.#running = running;
    this.maxTokens = maxTokens;
  }

  count(usage: EngineUsage): void {
    this.#running.usage = usage;
  }

  settle(status: CallStatus, wanted?: Promise<void>): Promise<void> {
    this.#settled ??= this.#record(status, wanted);
    return this.#settled;
  }

  async #record(status: CallStatus, wanted?: Promise<void>): Promise<void> {
    try {
      await this.#committer.record(this.#running, status, wanted);
    } catch (error) {
      // What failed already has its own error to tell.
      if (status !== 'failed') throw error;
    }
  }
}

function wishOf({ promptTokens, maxTokens, counted, model }: EngineCall, tariff: Tariff): Wish {
  return { promptTokens, maxTokens, tariff, first: counted.size === 0, firstOfModel: !counted.has(model) };
}

/** Most tokens that all budgets have room for. Throws `insufficient_quota` where that is nothing. */
function most(leases: Iterable<Lease>, wish: Wish): number {
  const least = Math.min(1, wish.maxTokens);
  let tokens = wish.maxTokens;
  for (const lease of leases) {
    const within = tokensWithin(lease.budget, wish, lease.room);
    if (within < least) throw refusal(lease, mostOf(lease.budget, { ...wish, maxTokens: least }));
    tokens = Math.min(tokens, within);
  }
  return tokens;
}

/**
 * Several servers on one store, in a time of their own: calls, crashes, answers of the store that are lost, a store that is gone for a while,
 * clocks that jump an hour. All that happens follows from the seed.
 */
import assert from 'node:assert/strict';
import { RealmError } from '../../src/errors.ts';
import { amountOf, type Budget } from '../../src/metering/budgets.ts';
import type { Clock } from '../../src/metering/clock.ts';
import { defaultTimings } from '../../src/metering/clock.ts';
import type { Batch, Drawn, Ledger } from '../../src/metering/ledger.ts';
import { LedgerMeter } from '../../src/metering/ledger-meter.ts';
import type { CallStatus } from '../../src/metering/meter.ts';
import { ModelLedger } from './model-ledger.ts';

type Random = () => number;

/** Mulberry32: small and good enough. */
export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Entry {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** A queue of what happens when; nothing waits for real. */
class Time {
  ms = 0;
  readonly #queue: Entry[] = [];
  #order = 0;

  after(ms: number, run: () => void): () => void {
    const entry = { at: this.ms + ms, order: this.#order++, run };
    this.#queue.push(entry);
    return () => {
      const at = this.#queue.indexOf(entry);
      if (at >= 0) this.#queue.splice(at, 1);
    };
  }

  /** Runs until nothing happens any more before `end`. */
  async until(end: number): Promise<void> {
    for (;;) {
      let next: Entry | undefined;
      for (const each of this.#queue)
        if (!next || each.at < next.at || (each.at === next.at && each.order < next.order)) next = each;
      if (next === undefined || next.at > end) break;
      this.#queue.splice(this.#queue.indexOf(next), 1);
      this.ms = next.at;
      next.run();
      // All that follows from it without waiting: no chain of promises here is longer.
      for (let i = 0; i < 30; i++) await undefined;
    }
    this.ms = end;
  }
}

const begin = Date.UTC(2026, 10, 26, 22, 30);

export interface Outcome {
  readonly granted: number;
  readonly refused: number;
  readonly unavailable: number;
  /** Of what was allowed, what was used in the end by callers who wanted all. */
  readonly usable: number;
}

/** A server, with a clock of its own. */
interface Server {
  meter: LedgerMeter;
  dead: boolean;
}

export async function simulate(seed: number): Promise<Outcome> {
  const random = randomOf(seed);
  const below = (n: number) => Math.floor(random() * n);
  const time = new Time();
  const store = new ModelLedger();
  const limit = 2_000 + below(60_000);
  const budgets: Budget[] = [{ unit: 'tokens', limit, period: 'total' }];
  if (random() < 0.5) budgets.push({ unit: 'money', limit: limit * 3e-6 * (0.5 + random()), period: 'total' });
  if (random() < 0.3) budgets.push({ unit: 'requests', limit: 20 + below(200), period: 'total', model: 'm' });
  if (random() < 0.5) budgets.push({ unit: 'tokens', limit: 500 + below(limit), period: 'day' });
  let gone = false;
  const count = { granted: 0, refused: 0, unavailable: 0, requests: 0, replicas: 0 };
  const servers: Server[] = [];

  async function boot(): Promise<Server> {
    const server: Server = { meter: undefined as never, dead: false };
    let skew = 0;
    if (random() < 0.3) skew = (random() < 0.5 ? -1 : 1) * 3_600_000;
    const clock: Clock = {
      now: () => begin + time.ms + skew,
      steady: () => time.ms,
      after: (ms, run) => time.after(ms, () => server.dead || run()),
    };
    const jump = () => {
      skew += (random() < 0.5 ? -1 : 1) * 3_600_000;
      if (!server.dead) time.after(5_000 + below(60_000), jump);
    };
    time.after(below(30_000), jump);
    const wait = <T>(make: () => Promise<T>): Promise<T> => {
      const { promise, resolve, reject } = Promise.withResolvers<T>();
      time.after(below(8), () => {
        // A server that died before its words arrived has said nothing.
        if (server.dead) return;
        if (gone || random() < 0.01) return reject(new Error('gone'));
        const lost = random() < 0.01;
        make().then(
          value =>
            time.after(below(4), () => (server.dead ? undefined : lost ? reject(new Error('lost')) : resolve(value))),
          error => time.after(1, () => (server.dead ? undefined : reject(error))),
        );
      });
      return promise;
    };
    const ledger: Ledger = {
      join: (replica, now) => wait(() => store.join(replica, now)),
      commit: (batch: Batch): Promise<Drawn[]> => wait(() => store.commit(batch)),
      replicas: () => wait(() => store.replicas()),
      spent: ids => wait(() => store.spent(ids)),
      bury: replica => wait(() => store.bury(replica)),
    };
    server.meter = await LedgerMeter.open({
      ledger,
      exclusive: false,
      budgetsOf: () => budgets,
      priceOf: () => ({ input: 1, cached: 0.1, output: 4 }),
      clock,
      timings: defaultTimings,
      newReplicaId: () => `r${count.replicas++}`,
    });
    servers.push(server);
    return server;
  }

  const alive = () => servers.filter(({ dead }) => !dead);

  async function call(server: Server, requestId: string, index: number, counted: Set<string>): Promise<void> {
    const promptTokens = 1 + below(60);
    const maxTokens = below(10) === 0 ? 0 : 1 + below(300);
    const owner = { tenant: 't', keyId: 'k', requestId, call: index, counted };
    try {
      const reservation = await server.meter.reserve({
        ...owner,
        model: 'm',
        adapter: undefined,
        promptTokens,
        maxTokens,
      });
      assert.ok(reservation.maxTokens <= maxTokens && reservation.maxTokens >= Math.min(1, maxTokens));
      count.granted++;
      const out = below(reservation.maxTokens + 1);
      const cachedTokens = below(promptTokens);
      const ms = below(4) === 0 ? below(20_000) : below(100);
      for (let i = 1; i <= 3; i++)
        time.after((ms * i) / 4, () =>
          reservation.count({ promptTokens, cachedTokens: 0, completionTokens: Math.floor((out * i) / 4) }),
        );
      const done = Promise.withResolvers<void>();
      time.after(ms, () => {
        reservation.count({ promptTokens, cachedTokens, completionTokens: out });
        const status: CallStatus = random() < 0.1 ? 'failed' : 'complete';
        const acknowledged = () => {
          if (server.dead || status !== 'complete') return;
          const row = store.calls.get(`${requestId} ${index}`);
          assert.equal(row?.status, 'complete', 'acknowledged means recorded');
          assert.deepEqual(
            [row.input_tokens, row.cached_tokens, row.output_tokens],
            [promptTokens, cachedTokens, out],
            'a row is what was used',
          );
        };
        const wanted = Promise.withResolvers<void>();
        if (below(3) === 0) time.after(below(300), wanted.resolve);
        else wanted.resolve();
        reservation
          .settle(status, below(2) === 0 ? wanted.promise : undefined)
          .then(acknowledged)
          .then(done.resolve, done.reject);
      });
      await done.promise;
    } catch (error) {
      if (error instanceof RealmError && error.code === 'insufficient_quota') count.refused++;
      else if (error instanceof RealmError && error.code === 'store_unavailable') count.unavailable++;
      else throw error;
    }
  }

  const failures: unknown[] = [];
  const start = (server: Server) => {
    const requestId = `q${count.requests++}`;
    const counted = new Set<string>();
    const calls = below(5) === 0 ? 1 + below(8) : 1;
    for (let i = 0; i < calls; i++) call(server, requestId, i, counted).catch(error => failures.push(error));
  };

  const size = 1 + below(4);
  for (let i = 0; i < size; i++) await boot();
  const busyMs = 20_000 + below(40_000);
  const pace = 30 + below(600);
  const traffic = () => {
    const ready = alive();
    if (ready.length > 0) start(ready[below(ready.length)]!);
    if (time.ms < busyMs) time.after(below(pace), traffic);
  };
  traffic();
  const trouble = () => {
    const kind = below(4);
    const victim = servers[below(servers.length)]!;
    if (kind === 0 && alive().length > 0) {
      victim.dead = true;
      void boot();
    } else if (kind === 1) {
      gone = true;
      time.after(below(15_000), () => {
        gone = false;
      });
    }
    if (time.ms < busyMs) time.after(2_000 + below(20_000), trouble);
  };
  time.after(below(20_000), trouble);
  await time.until(busyMs);
  gone = false;
  check(store, budgets);
  // All ends, the dead are found, what nobody needs comes back.
  await time.until(busyMs + 125_000);
  check(store, budgets);
  const usable = await spendTheRest(store, time, alive(), limit, budgets);
  if (failures.length > 0) throw failures[0];
  check(store, budgets);
  assert.ok(usable >= 0.95, `only ${usable} of a budget could be used`);
  const { granted, refused, unavailable } = count;
  return { granted, refused, unavailable, usable };
}

/** No more was spent and is held than may be, and balances are the sums of the rows. */
function check(store: ModelLedger, budgets: readonly Budget[]): void {
  const sums = new Map<string, number>();
  for (const row of store.calls.values())
    for (const id of row.budgets) sums.set(id, (sums.get(id) ?? 0) + amountOf(id, row));
  for (const [id, spent] of store.balances) assert.equal(spent, sums.get(id) ?? 0, `the balance of ${id}`);
  for (const [id, spent] of store.balances) {
    const unit = id.startsWith('cost') ? 'money' : id.startsWith('tokens') ? 'tokens' : 'requests';
    const period = id.split(':')[1] === 'total' ? 'total' : 'day';
    const budget = budgets.find(each => each.unit === unit && each.period === period)!;
    const most = unit === 'money' ? Math.floor(budget.limit * 1e9) : budget.limit;
    const held = [...(store.leases.get(id)?.values() ?? [])].reduce((a, b) => a + b, 0);
    assert.ok(spent <= most, `${id} is overspent: ${spent} of ${most}`);
    assert.ok(spent + held <= most, `${id} is overdrawn: ${spent} and ${held} of ${most}`);
  }
}

/** Servers in turn take what they get, one token at a time in the end. Returns the used part of the budget that ran out first. */
async function spendTheRest(
  store: ModelLedger,
  time: Time,
  servers: readonly Server[],
  limit: number,
  budgets: readonly Budget[],
): Promise<number> {
  let refusals = 0;
  for (let i = 0; i < 1_000 && refusals < 2 * servers.length; i++) {
    const server = servers[i % servers.length]!;
    const owner = { tenant: 't', keyId: 'k', requestId: `rest${i}`, call: 0, counted: new Set<string>() };
    const spend = async () => {
      const call = { ...owner, model: 'm', adapter: undefined, promptTokens: 1, maxTokens: Math.ceil(limit / 20) };
      const reservation = await server.meter.reserve(call);
      reservation.count({ promptTokens: 1, cachedTokens: 0, completionTokens: reservation.maxTokens });
      await reservation.settle('complete');
      refusals = 0;
    };
    const before = refusals;
    spend().catch(error => {
      if (error.code === 'insufficient_quota') refusals++;
      else assert.equal(error.code, 'store_unavailable');
    });
    await time.until(time.ms + 50);
    // The others have time to give back what they do not need.
    if (refusals > before) await time.until(time.ms + 2_200);
  }
  const parts = [...store.balances].map(([id, spent]) => {
    const [measure, period] = id.split(':');
    const unit = measure === 'cost' ? 'money' : measure === 'tokens' ? 'tokens' : 'requests';
    const budget = budgets.find(each => each.unit === unit && each.period === (period === 'total' ? 'total' : 'day'))!;
    return spent / (unit === 'money' ? Math.floor(budget.limit * 1e9) : budget.limit);
  });
  return Math.max(...parts);
}

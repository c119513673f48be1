/** One suite for all ledgers: a model of maps, SQLite and PostgreSQL. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import type { Budget } from '../../src/metering/budgets.ts';
import { defaultTimings } from '../../src/metering/clock.ts';
import type { Ledger } from '../../src/metering/ledger.ts';
import { type EndedCall, type LeaseWrite, ReplicaLost } from '../../src/metering/ledger.ts';
import { LedgerMeter } from '../../src/metering/ledger-meter.ts';
import { SqlLedger } from '../../src/metering/sql-ledger.ts';
import { openStore, type Store } from '../../src/store/open.ts';
import { noPostgres, startPostgres } from '../support/postgres.ts';
import { ModelLedger } from './model-ledger.ts';

const folder = await mkdtemp(join(tmpdir(), 'realm-ledger-'));
const closers: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true })];
after(async () => {
  for (const close of closers.reverse()) await close();
});

interface Place {
  readonly ledger: Ledger;
  spent(id: string): Promise<number>;
  rows(): Promise<{ request_id: string; call: number; status: string; output_tokens: number }[]>;
  held(id: string): Promise<number>;
}

function onStore(store: Store): Place {
  const { db } = store;
  return {
    ledger: new SqlLedger(store),
    spent: async id =>
      (await db.selectFrom('budgets').select('spent').where('id', '=', id).executeTakeFirst())?.spent ?? 0,
    rows: async () =>
      (await db.selectFrom('calls').select(['request_id', 'call', 'status', 'output_tokens']).execute()).map(row => ({
        ...row,
      })),
    held: async id =>
      (await db.selectFrom('leases').select('amount').where('budget', '=', id).execute()).reduce(
        (sum, { amount }) => sum + amount,
        0,
      ),
  };
}

function onModel(): Place {
  const ledger = new ModelLedger();
  return {
    ledger,
    spent: async id => ledger.balances.get(id) ?? 0,
    rows: async () =>
      [...ledger.calls.values()].map(({ request_id, call, status, output_tokens }) => {
        return { request_id, call, status, output_tokens };
      }),
    held: async id => [...(ledger.leases.get(id)?.values() ?? [])].reduce((a, b) => a + b, 0),
  };
}

async function sqlite(): Promise<Place> {
  const store = await openStore(join(folder, `${Math.random()}.db`), { lock: true });
  closers.push(() => store.close());
  return onStore(store);
}

let cluster: ReturnType<typeof startPostgres> | undefined;
let databases = 0;

/** A database of its own for each test, in one cluster. */
async function postgres(): Promise<Place> {
  if (cluster === undefined) {
    cluster = startPostgres();
    closers.push(async () => (await cluster)?.close());
  }
  const { url } = await cluster;
  const { default: pg } = await import('pg');
  const client = new pg.Client(url);
  await client.connect();
  const name = `ledger${databases++}`;
  await client.query(`create database ${name}`);
  await client.end();
  const store = await openStore(url.replace(/[^/]*$/, name), { lock: true });
  closers.push(() => store.close());
  return onStore(store);
}

const id = 'tokens:total:acme::';
const row = (request_id: string, fields: Partial<EndedCall> = {}): EndedCall => ({
  request_id,
  call: 0,
  tenant: 'acme',
  key_id: '',
  model: 'm',
  adapter: '',
  requests: 1,
  model_requests: 1,
  input_tokens: 3,
  cached_tokens: 1,
  output_tokens: 7,
  cost: 5,
  at: 1_700_000_000_000,
  budgets: [id],
  status: 'complete',
  known: false,
  ...fields,
});
const lease = (keep: number, need: number, limit = 100): LeaseWrite => ({
  id,
  limit,
  keep,
  need,
  chunk: (needed, left) => Math.min(needed, left),
  tenant: 'acme',
  budget: { unit: 'tokens', limit, period: 'total' },
  period: { name: 'total', id: 'total' },
  isNew: false,
  spent: 0,
});
const batch = { now: 1, ended: [], running: [], leases: [] };

const places = [
  { name: 'model', make: async () => onModel(), skip: false },
  { name: 'SQLite', make: sqlite, skip: false },
  { name: 'PostgreSQL', make: postgres, skip: noPostgres },
] as const;

for (const { name, make, skip } of places) {
  describe(`ledger: ${name}`, { skip }, () => {
    test('a call is put on record once, however often it is told, and the balance moves with it', async () => {
      const { ledger, rows, spent } = await make();
      await ledger.join('a', 1);
      const ended = [row('r1'), row('r1', { call: 1, requests: 0 }), row('r2')];
      for (let i = 0; i < 3; i++)
        await ledger.commit({ ...batch, replica: 'a', ended: i === 1 ? ended.slice(1) : ended });
      assert.equal((await rows()).length, 3);
      assert.equal(await spent(id), 30);
    });

    test('replicas draw no more than is left, and what one gives back another gets', async () => {
      const { ledger, held } = await make();
      await ledger.join('a', 1);
      await ledger.join('b', 1);
      const a = await ledger.commit({ ...batch, replica: 'a', leases: [{ ...lease(0, 70), isNew: true }] });
      assert.deepEqual(a, [{ id, granted: 70, left: 30, spent: 0 }]);
      const b = await ledger.commit({ ...batch, replica: 'b', leases: [lease(0, 70)] });
      assert.deepEqual(b, [{ id, granted: 30, left: 0, spent: 0 }]);
      await ledger.commit({ ...batch, replica: 'a', ended: [row('r')], leases: [lease(20, 0)] });
      assert.equal(await held(id), 50);
      const again = await ledger.commit({ ...batch, replica: 'b', leases: [lease(30, 70)] });
      assert.deepEqual(again, [{ id, granted: 40, left: 0, spent: 10 }]);
    });

    test('a hundred draws at once overdraw nothing', async () => {
      const { ledger, held, spent } = await make();
      const replicas = Array.from({ length: 10 }, (_, i) => `r${i}`);
      for (const replica of replicas) await ledger.join(replica, 1);
      const granted = await Promise.all(
        replicas.map(async replica => {
          let [keep, total] = [0, 0];
          for (let i = 0; i < 10; i++) {
            // One of what it holds is spent.
            const one = row(`${replica}.${i}`, { output_tokens: 0, input_tokens: 1 });
            const ended = keep > 0 ? [one] : [];
            keep -= ended.length;
            const [drawn] = await ledger.commit({ ...batch, replica, ended, leases: [lease(keep, 3, 250)] });
            keep += drawn!.granted;
            total += drawn!.granted;
          }
          return total;
        }),
      );
      assert.equal(
        granted.reduce((a, b) => a + b),
        250,
      );
      assert.equal((await held(id)) + (await spent(id)), 250);
    });

    test('what a dead replica left is settled with what was known, and its leases are free again', async () => {
      const { ledger, rows, spent, held } = await make();
      await ledger.join('a', 1);
      await ledger.join('b', 1);
      const { status: _, known: __, ...running } = row('r');
      await ledger.commit({ ...batch, replica: 'a', running: [running], leases: [lease(0, 60)] });
      await ledger.commit({ ...batch, replica: 'a', running: [{ ...running, output_tokens: 9 }] });
      assert.equal(await ledger.bury('a'), 1);
      assert.equal(await ledger.bury('a'), 0, 'once');
      assert.deepEqual(await rows(), [{ request_id: 'r', call: 0, status: 'interrupted', output_tokens: 9 }]);
      assert.equal(await spent(id), 12);
      assert.equal(await held(id), 0);
      await assert.rejects(ledger.commit({ ...batch, replica: 'a' }), ReplicaLost);
      // It was not dead: what it knows is more, and there is one row all the same.
      await ledger.join('a2', 1);
      await ledger.commit({ ...batch, replica: 'a2', ended: [row('r', { output_tokens: 20, known: true })] });
      assert.deepEqual(await rows(), [{ request_id: 'r', call: 0, status: 'complete', output_tokens: 20 }]);
      assert.equal(await spent(id), 23);
    });

    test('a call that ended leaves nothing running behind', async () => {
      const { ledger, rows } = await make();
      await ledger.join('a', 1);
      const { status: _, known: __, ...running } = row('r');
      await ledger.commit({ ...batch, replica: 'a', running: [running] });
      await ledger.commit({ ...batch, replica: 'a', ended: [row('r', { known: true })] });
      assert.equal(await ledger.bury('a'), 0);
      assert.equal((await rows()).length, 1);
    });

    test('three replicas with 200 calls each spend a budget to its end and not beyond', async () => {
      const { ledger, spent, rows } = await make();
      const budget: Budget = { unit: 'tokens', limit: 10_000, period: 'total' };
      const options = { ledger, exclusive: false, budgetsOf: () => [budget], priceOf: () => undefined };
      const timings = { ...defaultTimings, beatMs: 100 };
      const meters = await Promise.all([1, 2, 3].map(() => LedgerMeter.open({ ...options, timings })));
      const call = async (meter: LedgerMeter, requestId: string) => {
        const owner = { tenant: 'acme', keyId: undefined, requestId, call: 0, counted: new Set<string>() };
        const reservation = await meter.reserve({
          ...owner,
          model: 'm',
          adapter: undefined,
          promptTokens: 10,
          maxTokens: 60,
        });
        reservation.count({ promptTokens: 10, cachedTokens: 0, completionTokens: Math.min(30, reservation.maxTokens) });
        await reservation.settle('complete');
      };
      const results = await Promise.allSettled(
        meters.flatMap((meter, i) => Array.from({ length: 200 }, (_, k) => call(meter, `${i}.${k}`))),
      );
      const refused = results.filter(each => each.status === 'rejected');
      for (const { reason } of refused as PromiseRejectedResult[]) assert.equal(reason.code, 'insufficient_quota');
      let used = await spent(id);
      assert.ok(used <= 10_000, `${used}`);
      assert.equal(
        (await rows()).reduce((sum, { output_tokens }) => sum + output_tokens + 10, 0),
        used,
      );
      // Whoever asks a little later gets what was only reserved.
      for (let i = 0; i < 3_000 && used < 9_900; i++) {
        await call(meters[i % 3]!, `more${i}`).catch(error => assert.equal(error.code, 'insufficient_quota'));
        used = await spent(id);
      }
      assert.ok(used >= 9_500 && used <= 10_000, `${used}`);
      await Promise.all(meters.map(meter => meter.close()));
      assert.deepEqual(await ledger.replicas(), []);
    });
  });
}

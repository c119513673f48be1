/**
 * node scripts/metering/kills.ts sqlite|postgres|database [TIMES]: kills a server under load (or its PostgreSQL), starts it again, and
 * compares what clients were told with what is on record in the end.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { defaultTimings } from '../../src/metering/clock.ts';
import { LedgerMeter } from '../../src/metering/ledger-meter.ts';
import { openStore, type Store } from '../../src/store/open.ts';
import { createKey } from '../../src/tenancy/keys.ts';
import { startPostgres } from '../../test/support/postgres.ts';
import { syntheticBytes } from '../synthetic/model.ts';
import { type Asked, ask } from './load.ts';

const kind = process.argv[2] ?? 'sqlite';
const times = Number(process.argv[3] ?? 50);
const clients = 6;
const limit = 1e9;

const folder = await mkdtemp(join(tmpdir(), 'realm-kills-'));
const postgres = kind === 'sqlite' ? undefined : await startPostgres();
const place = postgres?.url ?? join(folder, 'realm.db');
const key = createKey('acme');
const configPath = join(folder, 'realm.yaml');
const model = join(folder, 'model.gguf');
await writeFile(model, syntheticBytes({ with: { layers: 1 } }));
const budgets = [
  { unit: 'tokens', limit, period: 'total' },
  { unit: 'money', limit: 1e6, period: 'month' },
  { unit: 'requests', limit: 1e9, period: 'day' },
];
await writeFile(
  configPath,
  JSON.stringify({
    server: { store: place },
    models: [{ id: 'scripted', path: model, price: { input: 1, output: 3 } }],
    tenants: [{ id: 'acme', keys: [key.hash], budgets }],
  }),
);

const seen: Asked[] = [];
try {
  if (kind === 'database') await killDatabase();
  else await killServers();
  const store = await openStore(place);
  try {
    await settleTheRest(store);
    console.log(JSON.stringify({ kind, kills: times, ...(await check(store)) }));
  } finally {
    await store.close();
  }
} finally {
  await postgres?.close();
  await rm(folder, { recursive: true });
}

async function start(): Promise<{ child: ChildProcess; url: string }> {
  const script = new URL('kill-server.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [script, configPath], { stdio: ['ignore', 'pipe', 'inherit'] });
  const last = () => child.kill('SIGKILL');
  process.once('exit', last);
  child.once('exit', () => process.off('exit', last));
  const ended = once(child, 'exit').then(([code]) => Promise.reject(new Error(`the server ended with ${code}`)));
  ended.catch(() => {});
  const [line] = await Promise.race([once(child.stdout!, 'data'), ended]);
  return { child, url: String(line).trim() };
}

async function killServers(): Promise<void> {
  for (let i = 0; i < times; i++) {
    const { child, url } = await start();
    const load = Promise.all(Array.from({ length: clients }, () => ask(url, key.key, seen, () => false)));
    await answers(clients);
    // Some live long enough for checkpoints of their calls.
    await sleep(Math.random() * (i % 8 === 0 ? 1_500 : 300));
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await Promise.all([exit, load]);
  }
}

/** Waits for so many more answers: what was just started is slow. */
async function answers(count: number): Promise<void> {
  const completed = () => seen.filter(({ usage }) => usage !== undefined).length;
  const before = completed();
  for (let i = 0; completed() < before + count; i++) {
    assert.ok(i < 3_000, 'nothing is answered any more');
    await sleep(10);
  }
}

async function killDatabase(): Promise<void> {
  const { child, url } = await start();
  let over = false;
  const load = Promise.all(Array.from({ length: clients }, () => ask(url, key.key, seen, () => over)));
  for (let i = 0; i < times; i++) {
    await answers(clients);
    await sleep(Math.random() * 300);
    await postgres!.kill();
    await sleep(Math.random() * 300);
    await postgres!.start();
  }
  await answers(clients);
  over = true;
  await load;
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  await exit;
}

/** What killed servers left: a server would wait for longer before it holds them for dead. */
async function settleTheRest(store: Store): Promise<void> {
  const timings = { ...defaultTimings, beatMs: 100, deadMs: 500 };
  const meter = await LedgerMeter.onStore(store, { budgetsOf: () => [], priceOf: () => undefined, timings });
  const others = async () => (await store.db.selectFrom('replicas').selectAll().execute()).length > 1;
  for (let i = 0; i < 200 && (await others()); i++) await sleep(100);
  await meter.close();
}

async function check({ db }: Store): Promise<object> {
  const rows = await db.selectFrom('calls').selectAll().execute();
  const byRequest = Map.groupBy(rows, row => row.request_id);
  let [completed, cut, cutOnRecord] = [0, 0, 0];
  for (const { id, usage, code } of seen) {
    const own = byRequest.get(id ?? '') ?? [];
    assert.ok(own.length <= 1, `${id} has ${own.length} rows`);
    if (usage !== undefined) {
      completed++;
      assert.equal(own.length, 1, `the answer ${id} is not on record`);
      const { input_tokens, output_tokens, status } = own[0]!;
      const told = { input_tokens: usage.prompt_tokens, output_tokens: usage.completion_tokens, status: 'complete' };
      assert.deepEqual({ input_tokens, output_tokens, status }, told);
    } else if (code === undefined) {
      cut++;
      cutOnRecord += own.length;
    }
  }
  const sum = (of: (row: (typeof rows)[number]) => number) => rows.reduce((total, row) => total + of(row), 0);
  const sums = {
    tokens: sum(row => row.input_tokens + row.output_tokens),
    cost: sum(row => row.cost),
    requests: sum(row => row.requests),
  };
  const balances = new Map<string, number>();
  for (const { id, spent } of await db.selectFrom('budgets').selectAll().execute()) {
    const measure = id.slice(0, id.indexOf(':'));
    balances.set(measure, (balances.get(measure) ?? 0) + spent);
  }
  assert.deepEqual(Object.fromEntries(balances), sums, 'balances are the sums of the rows');
  const usage = await db.selectFrom('usage').selectAll().execute();
  assert.equal(
    usage.reduce((total, { calls }) => total + calls, 0),
    rows.length,
  );
  assert.equal(
    usage.reduce((total, line) => total + line.input_tokens + line.output_tokens, 0),
    sums.tokens,
  );
  for (const table of ['leases', 'running_calls', 'replicas'] as const)
    assert.deepEqual(await db.selectFrom(table).selectAll().execute(), [], `nothing is left of ${table}`);
  const statuses = Object.fromEntries(
    [...Map.groupBy(rows, row => row.status)].map(([status, of]) => [status, of.length]),
  );
  const refused = Object.fromEntries(
    [
      ...Map.groupBy(
        seen.filter(each => each.code),
        each => each.code,
      ),
    ].map(([code, of]) => [code, of.length]),
  );
  return { asked: seen.length, completed, cut, cutOnRecord, refused, rows: rows.length, statuses };
}

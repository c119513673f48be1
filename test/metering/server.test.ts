import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { Budget } from '../../src/metering/budgets.ts';
import { LedgerMeter } from '../../src/metering/ledger-meter.ts';
import { UsageReports } from '../../src/metering/reports.ts';
import { openStore } from '../../src/store/open.ts';
import { frames, generated, type ProgramBody, post, type Script, sandboxOf, scripted } from '../server/scripted.ts';

const closers: (() => Promise<void>)[] = [];
after(async () => {
  for (const close of closers) await close();
});

const price = { input: 10, cached: 1, output: 30 };

/** A server with these budgets. */
async function budgeted(budgets: readonly Budget[], script: Partial<Script> = {}, body?: ProgramBody) {
  const store = await openStore('memory');
  const meter = await LedgerMeter.onStore(store, { budgetsOf: () => budgets, priceOf: () => price });
  closers.push(async () => {
    await meter.close();
    await store.close();
  });
  const sandbox = body && { sandbox: sandboxOf(body) };
  const usage = new UsageReports(store);
  const server = scripted({ answer: () => 'four', ...script }, { meter, usage, ...sandbox });
  const ask = (fields: object = {}) =>
    server.app.fetch(post('/v1/completions', { prompt: 'ab', max_tokens: 8, ...fields }));
  const get = async (path: string) => (await server.app.fetch(new Request(`http://localhost${path}`))).json();
  return { ...server, store, ask, get };
}

test('500 requests at once against a budget for 10: ten are answered, the others hear what to do', async () => {
  const { ask, get } = await budgeted([{ unit: 'requests', limit: 10, period: 'total' }]);
  const answers = await Promise.all(Array.from({ length: 500 }, () => ask()));
  assert.equal(answers.filter(({ status }) => status === 200).length, 10);
  const refused = answers.filter(({ status }) => status === 429);
  assert.equal(refused.length, 490);
  const late = await ask();
  assert.equal(late.status, 429);
  assert.equal(late.headers.get('x-should-retry'), 'false');
  const { error } = await late.json();
  assert.equal(error.code, 'insufficient_quota');
  assert.match(error.message, /The budget of 10 requests is spent; it does not begin anew/);
  const { requests, output_tokens, budgets } = await get('/v1/usage');
  assert.deepEqual({ requests, output_tokens }, { requests: 10, output_tokens: 40 });
  assert.deepEqual(budgets, [{ unit: 'requests', period: 'total', limit: 10, spent: 10, model: null }]);
});

test('500 requests at once against tokens for ten', async () => {
  // A prompt of three tokens, and eight for the answer.
  const { ask, get } = await budgeted([{ unit: 'tokens', limit: 110, period: 'day' }], { answer: () => '12345678' });
  const answers = await Promise.all(Array.from({ length: 500 }, () => ask()));
  assert.equal(answers.filter(({ status }) => status === 200).length, 10);
  const { period, requests, input_tokens, output_tokens } = await get('/v1/usage');
  assert.deepEqual(
    { period, requests, input_tokens, output_tokens },
    {
      period: 'day',
      requests: 10,
      input_tokens: 30,
      output_tokens: 80,
    },
  );
});

test('what is left cuts the answer; below one token nothing is begun', async () => {
  const { ask, model } = await budgeted([{ unit: 'tokens', limit: 5, period: 'month' }], { answer: () => 'endless' });
  const cut = await (await ask()).json();
  assert.equal(cut.choices[0].text, 'en');
  assert.equal(cut.choices[0].finish_reason, 'length');
  const refused = await ask();
  assert.equal(refused.status, 429);
  assert.match((await refused.json()).error.message, /begins anew at \d{4}-\d\d-01T00:00:00/);
  assert.equal(model.requests.length, 1);
});

test('money counts what the cache had at its own price, rounded up', async () => {
  const { ask, get, store } = await budgeted([{ unit: 'money', limit: 1, period: 'month' }]);
  await ask();
  // Three tokens of which two were cached, four of the answer: 10 + 2 + 120 millionths.
  const [row] = await store.db.selectFrom('calls').select(['cost', 'cached_tokens']).execute();
  assert.deepEqual({ ...row }, { cost: 132_000, cached_tokens: 2 });
  assert.equal((await get('/v1/usage')).budgets[0].spent, 0.000132);
});

test('a program with 50 calls, several answers and embeddings cannot get round a budget', async () => {
  const fifty: ProgramBody = async function* ({ host, modelId, signal }) {
    for (let i = 0; i < 50; i++) yield* generated(host, { modelId, prompt: 'ab', options: { maxTokens: 4 } }, signal);
  };
  const budgets: Budget[] = [
    { unit: 'tokens', limit: 7 * 120, period: 'total' },
    { unit: 'requests', limit: 9, period: 'total' },
  ];
  const { ask, get, store, app } = await budgeted(budgets, {}, fifty);
  assert.equal((await ask()).status, 200);
  assert.equal((await ask()).status, 200);
  assert.equal((await ask()).status, 429);
  const usage = await get('/v1/usage');
  assert.equal(usage.requests, 3, 'a request counts once');
  assert.ok(usage.input_tokens + usage.output_tokens <= 840);
  assert.ok(usage.input_tokens + usage.output_tokens >= 0.95 * 840);
  const rows = await store.db.selectFrom('calls').select('call').execute();
  assert.ok(rows.length >= 114);
  const embed = await app.fetch(post('/v1/embeddings', { input: ['ab', 'cd', 'ef'] }));
  assert.equal(embed.status, 429);
  const several = await ask({ n: 4 });
  assert.equal(several.status, 429);
});

test('what an engine refuses and what a client leaves is on record too', async () => {
  const { ask, get, app } = await budgeted([], { failAfter: { tokens: 2, error: new Error('dead') } });
  assert.equal((await ask()).status, 500);
  const streamed = await app.fetch(post('/v1/completions', { prompt: 'ab', stream: true }));
  await frames(streamed);
  const { rows } = await get('/admin/v1/usage?detail=true');
  assert.deepEqual(
    rows.map(({ status, output_tokens }: Record<string, unknown>) => ({ status, output_tokens })),
    [
      { status: 'failed', output_tokens: 2 },
      { status: 'failed', output_tokens: 2 },
    ],
  );
});

test('the operator gets sums, calls page by page, and both as CSV', async () => {
  const { ask, get, app } = await budgeted([]);
  const ids: (string | null)[] = [];
  for (let i = 0; i < 5; i++) ids.push((await ask()).headers.get('x-request-id'));
  const today = new Date().toISOString().slice(0, 10);
  const { rows } = await get('/admin/v1/usage?group_by=tenant,model,day');
  assert.deepEqual(rows, [
    {
      tenant: 'default',
      model: 'scripted',
      day: today,
      requests: 5,
      calls: 5,
      input_tokens: 15,
      cached_tokens: 10,
      output_tokens: 20,
      fuel: 0,
      cost: 0.00066,
    },
  ]);
  const first = await get('/admin/v1/usage?tenant=default&detail=true&limit=3');
  const second = await get(`/admin/v1/usage?tenant=default&detail=true&limit=3&after=${first.next}`);
  assert.equal(second.next, undefined);
  const all = [...first.rows, ...second.rows];
  assert.deepEqual(new Set(all.map(({ request_id }) => request_id)), new Set(ids));
  const { at, request_id, ...row } = all[0];
  assert.ok(Math.abs(Date.parse(at) - Date.now()) < 60_000);
  assert.deepEqual(row, {
    call: 0,
    tenant: 'default',
    key_id: null,
    model: 'scripted',
    adapter: null,
    input_tokens: 3,
    cached_tokens: 2,
    output_tokens: 4,
    status: 'complete',
    cost: 0.000132,
  });
  assert.deepEqual((await get('/admin/v1/usage?tenant=nobody')).rows, []);
  assert.deepEqual((await get('/admin/v1/usage?from=2001-01-01&to=2001-02-01')).rows, []);
  const csv = await app.fetch(new Request('http://localhost/admin/v1/usage?format=csv&detail=true&limit=2'));
  assert.match(csv.headers.get('content-type') ?? '', /^text\/csv/);
  assert.equal((await csv.text()).split('\r\n').length, 4);
  const wrong = await get('/admin/v1/usage?group_by=moon&limit=0&colour=red');
  assert.match(wrong.error.message, /group_by: must be of tenant, key, model, day/);
  assert.match(wrong.error.message, /limit: must be at least 1/);
  assert.match(wrong.error.message, /colour: is not a known key/);
});

test('whoever wants to hear that a budget is nearly spent hears it with the call that spent it', async () => {
  const store = await openStore('memory');
  const heard: unknown[] = [];
  const meter = await LedgerMeter.onStore(store, {
    budgetsOf: () => [{ unit: 'tokens', limit: 100, period: 'total' }],
    priceOf: () => undefined,
    onSpent: async (_, { tenant, unit, limit, period }, before, after) => {
      heard.push({ tenant, unit, limit, period, before, after });
    },
  });
  for (let i = 0; i < 2; i++) {
    const owner = { tenant: 'acme', keyId: undefined, requestId: `r${i}`, call: 0, counted: new Set<string>() };
    const reservation = await meter.reserve({
      ...owner,
      model: 'm',
      adapter: undefined,
      promptTokens: 10,
      maxTokens: 30,
    });
    reservation.count({ promptTokens: 10, cachedTokens: 0, completionTokens: 30 });
    await reservation.settle('complete');
  }
  const budget = { tenant: 'acme', unit: 'tokens', limit: 100, period: 'total' };
  assert.deepEqual(heard, [
    { ...budget, before: 0, after: 40 },
    { ...budget, before: 40, after: 80 },
  ]);
  await meter.close();
  await store.close();
});

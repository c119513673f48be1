/** Pipelines over HTTP, with a scripted model. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { RealmError } from '../../src/errors.ts';
import type { Meter } from '../../src/metering/meter.ts';
import { answers } from '../../src/server/openapi-answers.ts';
import { scopes, tenantDefaults } from '../../src/tenancy/tenants.ts';
import { first } from '../support/entries.ts';
import { namedFrames } from './named-frames.ts';
import { bookOf, each, greet, join, piped } from './pipelines.ts';
import { generated, post, sandboxOf } from './scripted.ts';

/** Each key is the tenant of that name; `few` may run one pipeline. */
const authenticate = (authorization: string | undefined) => {
  const id = /^Bearer (.+)$/.exec(authorization ?? '')?.[1] ?? 'acme';
  const pipelines = id === 'few' ? ['greet'] : undefined;
  return { tenant: { id, ...tenantDefaults, pipelines }, keyId: undefined, scopes };
};
const as = (tenant: string) => ({ headers: { authorization: `Bearer ${tenant}` } });
const get = (path: string, tenant = 'acme') => new Request(`http://localhost${path}`, as(tenant));

test('pipelines are listed with their inputs, to whom they are for', async () => {
  const { app } = piped([greet, join], undefined, { authenticate });
  const list = async (tenant: string) => (await (await app.fetch(get('/v1/pipelines', tenant))).json()).data;
  const [own, second] = await list('acme');
  assert.equal(second.id, 'join');
  const input = { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] };
  const model = 'pipeline/greet';
  assert.deepEqual(own, { id: 'greet', object: 'pipeline', description: 'Says hello.', input, model });
  assert.deepEqual(
    (await list('few')).map(({ id }: { id: string }) => id),
    ['greet'],
  );
  const refused = await app.fetch(post('/v1/pipelines/join', { input: { a: 'x', b: 'y' } }, as('few')));
  assert.deepEqual([refused.status, (await refused.json()).error.code], [404, 'pipeline_not_found']);
});

test('the answer has the output, what each step took and what all took together', async () => {
  const { app, model, lines } = piped([join]);
  const response = await app.fetch(post('/v1/pipelines/join', { input: { a: 'left', b: 'right' } }));
  const answer = await response.json();
  assert.equal(response.status, 200, JSON.stringify(answer));
  assert.match(answer.id, /^run_[0-9a-f]{24}$/);
  assert.deepEqual([answer.pipeline, answer.output], ['join', { both: 'LEFT & RIGHT' }]);
  const steps = answer.steps.map(({ step, kind, state, target }: Record<string, unknown>) => [
    step,
    kind,
    state,
    target,
  ]);
  assert.deepEqual(steps.sort(), [
    ['both', 'template', 'complete', null],
    ['first', 'model', 'complete', 'scripted'],
    ['second', 'model', 'complete', 'scripted'],
  ]);
  assert.equal(answer.usage.completion_tokens, 'LEFTRIGHT'.length);
  const prompts = model.requests.reduce((sum, { prompt }) => sum + prompt.length, 0);
  assert.equal(answer.usage.prompt_tokens, prompts);
  assert.equal(new Set(model.requests.map(({ id }) => id)).size, 2);
  const line = lines.find(({ message }) => message === 'request')!;
  assert.deepEqual([line.model, line.completion_tokens], ['pipeline/join', 9]);
});

test('a stream has steps and tokens as they come, and the answer at its end', async () => {
  const { app } = piped([greet]);
  const response = await app.fetch(post('/v1/pipelines/greet', { input: { name: 'bob' }, stream: true }));
  const events = await namedFrames(response, { done: false });
  const short = events.map(({ type, state, text, step }) => [type, state ?? text ?? step].join(' '));
  assert.deepEqual(short, ['run ', 'step started', 'token B', 'token O', 'token B', 'step finished', 'result ']);
  const { output, id, usage } = events.at(-1);
  assert.deepEqual([output, id, usage.completion_tokens], ['BOB', events[0].id, 3]);
});

test('what is wrong with an input is said before anything runs', async () => {
  const { app, model } = piped([greet, join]);
  const refusal = async (body: unknown, name = 'greet') => {
    const response = await app.fetch(post(`/v1/pipelines/${name}`, body));
    const { code, param } = (await response.json()).error;
    return [response.status, code, param];
  };
  assert.deepEqual(await refusal({ input: { name: 1 } }), [400, 'invalid_request', 'input.name']);
  assert.deepEqual((await refusal({}))[1], 'invalid_request');
  assert.deepEqual(await refusal({ input: { name: 'x' }, steam: true }), [400, 'invalid_request', 'steam']);
  assert.deepEqual((await refusal({ input: { name: 'x'.repeat(9000) }, stream: 1 }))[2], 'stream');
  assert.deepEqual((await refusal({ input: {} }, 'nothing')).slice(0, 2), [404, 'pipeline_not_found']);
  assert.equal(model.requests.length, 0);
});

test('a step that fails fails the run by its name, and others are told to come again', async () => {
  const lines: object[] = [];
  const failing = (error: Error) => {
    const made = piped([greet], { answer: () => 'abc', failAfter: { tokens: 1, error } });
    lines.push(made.lines);
    return made;
  };
  const ask = async (error: Error) => {
    const { app } = failing(error);
    const response = await app.fetch(post('/v1/pipelines/greet', { input: { name: 'x' } }));
    return { status: response.status, ...(await response.json()).error, after: response.headers.get('retry-after') };
  };
  const died = await ask(new RealmError('engine_failed', 'it died'));
  assert.deepEqual([died.status, died.code, died.param], [502, 'pipeline_failed', 'hello']);
  assert.match(died.message, /hello.*engine_failed.*it died/);
  const unforeseen = await ask(new Error('secret words'));
  assert.match(unforeseen.message, /internal_error.*log has it under req_/);
  assert.doesNotMatch(unforeseen.message, /secret/);
  assert.match(JSON.stringify(lines), /secret words/);
  const full = await ask(new RealmError('queue_full', 'too many', { retryAfter: 7 }));
  assert.deepEqual([full.status, full.code, full.param, full.after], [429, 'queue_full', 'hello', '7']);
});

test('a budget that runs out in the middle ends the run; what was used is charged', async () => {
  const settled: [number, string][] = [];
  let calls = 0;
  const meter: Meter = {
    async reserve({ maxTokens }) {
      if (calls++ === 2) throw new RealmError('insufficient_quota', 'the budget is spent');
      let used = 0;
      return {
        maxTokens,
        count: ({ completionTokens }) => {
          used = completionTokens;
        },
        settle: async status => void settled.push([used, status]),
      };
    },
  };
  const one = each.replace('concurrency: 8', 'concurrency: 1');
  const { app, services } = piped([one], undefined, { meter });
  const response = await app.fetch(post('/v1/pipelines/each', { input: ['ab', 'cde', 'f', 'g'] }));
  const { error } = await response.json();
  assert.deepEqual([response.status, error.code, error.param], [429, 'insufficient_quota', 'all[2].one']);
  assert.equal(calls, 3);
  const complete = settled.filter(([, status], i) => status === 'complete' && i < 10);
  assert.deepEqual(complete.map(([used]) => used).slice(0, 2), [2, 3]);
  const [run] = services.pipelines.runs.list();
  assert.deepEqual([run?.state, run?.usage.completionTokens], ['failed', 5]);
});

/** A server whose model waits for `open`, with so many steps that run. */
async function waiting(count: number, more: Parameters<typeof piped>[2] = {}) {
  const gate = Promise.withResolvers<void>();
  const made = piped([each], { answer: () => 'abc', pause: () => gate.promise }, { authenticate, ...more });
  const left = new AbortController();
  const input = Array.from({ length: count }, (_, i) => `w${i}`);
  const init = { ...as('acme'), signal: left.signal };
  const answer = made.app.fetch(post('/v1/pipelines/each', { input }, init));
  while (made.model.running < count) await new Promise(setImmediate);
  const { id } = first([...made.services.state.open]);
  return { ...made, answer, id, left, open: gate.resolve };
}

test('cancelling a run reaches all its steps', async () => {
  const ways = {
    tenant: ({ app, id }: Awaited<ReturnType<typeof waiting>>) =>
      app.fetch(new Request(`http://localhost/v1/requests/${id}`, { method: 'DELETE', ...as('acme') })),
    operator: ({ app, id }: Awaited<ReturnType<typeof waiting>>) =>
      app.fetch(new Request(`http://localhost/admin/v1/requests/${id}`, { method: 'DELETE' })),
    client: async ({ left }: Awaited<ReturnType<typeof waiting>>) => left.abort(),
  };
  for (const [name, cancel] of Object.entries(ways)) {
    const s = await waiting(5, { authorizeAdmin: () => 'key_op' });
    await cancel(s);
    s.open();
    const response = await s.answer;
    assert.deepEqual([response.status, (await response.json()).error.code], [499, 'request_cancelled'], name);
    assert.equal(s.model.running, 0, name);
    assert.equal(s.services.state.open.size, 0, name);
    const [run] = s.services.pipelines.runs.list('acme');
    assert.equal(run?.state, 'cancelled', name);
    assert.ok(
      run?.steps.every(({ state }) => state === 'cancelled'),
      name,
    );
  }
});

test("a run may take as long as its tenant's requests may", async () => {
  const hurried = () => ({ ...authenticate(undefined), tenant: { id: 'acme', ...tenantDefaults, deadlineMs: 60 } });
  const s = await waiting(2, { authenticate: hurried });
  await sleep(80);
  s.open();
  const response = await s.answer;
  assert.deepEqual([response.status, (await response.json()).error.code], [504, 'deadline_exceeded']);
  assert.equal(s.model.running, 0);
});

test('a stream that its reader leaves ends all steps', async () => {
  const s = piped([each], { answer: () => 'a'.repeat(150), pause: () => sleep(2) });
  const response = await s.app.fetch(post('/v1/pipelines/each', { input: ['a', 'b', 'c'], stream: true }));
  const reader = response.body!.getReader();
  for (let i = 0; i < 6; i++) await reader.read();
  await reader.cancel();
  for (let i = 0; i < 200 && s.services.state.open.size > 0; i++) await sleep(5);
  assert.deepEqual([s.services.state.open.size, s.model.running], [0, 0]);
});

test('runs are told of later: to the tenant with what steps gave, to the operator without', async () => {
  const { app } = piped([greet], undefined, { authenticate, authorizeAdmin: () => 'key_op' });
  const { id } = await (await app.fetch(post('/v1/pipelines/greet', { input: { name: 'bob' } }, as('acme')))).json();
  const { data } = await (await app.fetch(get('/v1/pipelines/runs'))).json();
  assert.deepEqual([data.length, data[0].id, data[0].state, data[0].step_count], [1, id, 'complete', 1]);
  const run = await (await app.fetch(get(`/v1/pipelines/runs/${id}`))).json();
  assert.equal(run.steps[0].output, '"BOB"');
  assert.ok(run.ms >= run.steps[0].ms && run.steps[0].at_ms >= 0);
  assert.equal((await app.fetch(get(`/v1/pipelines/runs/${id}`, 'other'))).status, 404);
  assert.deepEqual((await (await app.fetch(get('/v1/pipelines/runs', 'other'))).json()).data, []);
  const all = await (await app.fetch(get('/admin/v1/pipelines/runs'))).json();
  assert.equal(all.data[0].tenant, 'acme');
  const seen = await (await app.fetch(get(`/admin/v1/pipelines/runs/${id}`))).json();
  assert.deepEqual([seen.steps[0].step, 'output' in seen.steps[0]], ['hello', false]);
  assert.deepEqual((await (await app.fetch(get('/admin/v1/pipelines/runs?tenant=other'))).json()).data, []);
});

test('answers are what the description of the API says', async () => {
  const { app } = piped([greet, join], undefined, { authorizeAdmin: () => 'key_op' });
  const fits = async (key: string, request: Request): Promise<{ id?: string }> => {
    const body = (await (await app.fetch(request)).json()) as object;
    const validate = new Ajv2020().compile(answers[key]!['application/json']!);
    assert.ok(validate(body), `${key} ${JSON.stringify(validate.errors)}`);
    return body;
  };
  const run = post('/v1/pipelines/join', { input: { a: 'one', b: 'two' } });
  const { id } = await fits('POST /v1/pipelines/{name}', run);
  await fits('GET /v1/pipelines', get('/v1/pipelines'));
  for (const base of ['/v1', '/admin/v1']) {
    await fits(`GET ${base}/pipelines/runs`, get(`${base}/pipelines/runs`));
    await fits(`GET ${base}/pipelines/runs/{id}`, get(`${base}/pipelines/runs/${id}`));
  }
});

const counted = `
pipeline: counted
input: { type: object, properties: { text: { type: string } } }
steps:
  - { id: size, wasm: count, input: '{"text": input.text}', output: { type: integer } }
output: size
`;

test('a program that a step calls runs in the sandbox, in the place of the tenant’s own', async () => {
  const programs = {
    named: async (_: unknown, name: string) => ({ name, digest: '', trusted: false }),
  };
  const sandbox = sandboxOf(async function* ({ prompt }) {
    yield String(JSON.parse(prompt).text.length);
  });
  const { app } = piped([], undefined, { pipelines: bookOf([counted], { programs }), sandbox });
  const { output } = await (await app.fetch(post('/v1/pipelines/counted', { input: { text: 'four' } }))).json();
  assert.equal(output, 4);
  const { program, limits, kind } = first(sandbox.calls);
  assert.deepEqual([program.name, limits.memoryMb, kind], ['count', tenantDefaults.memoryMb, 'call']);
});

test('a program may ask models, and what they used is the step’s', async () => {
  const programs = {
    named: async (_: unknown, name: string) => ({ name, digest: '', trusted: false }),
  };
  const sandbox = sandboxOf(async function* ({ prompt, host, modelId, signal }) {
    if (prompt !== '"go"') return;
    yield* generated(host, { modelId, prompt: 'x', options: {} }, signal);
  });
  const asks = 'pipeline: asks\nsteps:\n  - { id: it, wasm: ask, input: \'"go"\' }\noutput: it';
  const { app } = piped([], { answer: () => 'ok' }, { pipelines: bookOf([asks], { programs }), sandbox });
  const { output, steps } = await (await app.fetch(post('/v1/pipelines/asks', {}))).json();
  assert.deepEqual([output, steps[0].usage.completion_tokens], ['ok', 2]);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ResponseBook } from '../../src/server/responses/book.ts';
import { MemoryResponseStore } from '../../src/server/responses/store.ts';
import { defaultConfig } from '../../src/tenancy/config.ts';
import { hashKey } from '../../src/tenancy/keys.ts';
import { tenantDefaults } from '../../src/tenancy/tenants.ts';
import { keyAuthentication } from '../support/authentication.ts';
import { namedFrames } from './named-frames.ts';
import { checkEvent, checkResponse } from './open-responses.ts';
import { post, scripted } from './scripted.ts';

const says = (text: string) => ({ answer: () => text });
const create = (body: object = {}, init?: RequestInit) => post('/v1/responses', { input: 'Hi', ...body }, init);
const get = (path: string, init: RequestInit = {}) => new Request(`http://localhost/v1/responses/${path}`, init);

test('a request is answered with every field of Open Responses', async () => {
  const { app, model } = scripted(says('Paris'));
  const response = await app.fetch(create({ instructions: 'Be brief.', metadata: { a: 'b' }, temperature: 0.5 }));
  assert.equal(response.status, 200);
  const body = await response.json();
  checkResponse(body);
  assert.match(body.id, /^resp_[0-9a-f]{24}$/);
  assert.equal(body.status, 'completed');
  assert.equal(body.temperature, 0.5);
  assert.deepEqual(body.metadata, { a: 'b' });
  assert.deepEqual(
    body.output.map(({ content }: { content: { text: string }[] }) => content[0]!.text),
    ['Paris'],
  );
  assert.equal(model.tokenizer.decode(model.requests[0]!.prompt), '[system]Be brief.[user]Hi[assistant]');
  assert.equal(body.usage.output_tokens, 5);
  assert.equal(body.usage.input_tokens_details.cached_tokens, 2);
});

test('a stream has named events, numbered, and ends with the response', async () => {
  const { app } = scripted(says('Paris'));
  const response = await app.fetch(create({ stream: true }));
  assert.match(response.headers.get('content-type')!, /^text\/event-stream/);
  const events = await namedFrames(response);
  for (const event of events) checkEvent(event);
  assert.deepEqual(
    events.map(({ sequence_number }) => sequence_number),
    events.map((_, i) => i),
  );
  const deltas = events.filter(({ type }) => type === 'response.output_text.delta').map(({ delta }) => delta);
  assert.deepEqual(deltas, [...'Paris']);
  const last = events.at(-1)!;
  assert.equal(last.type, 'response.completed');
  const stored = await (await app.fetch(get(last.response.id))).json();
  assert.deepEqual(stored, last.response);
});

test('an input may be absent where there is something to answer', async () => {
  const { app, model } = scripted(says('ok'));
  const { id } = await (await app.fetch(create({ generate: false }))).json();
  const ask = (body: object) => app.fetch(post('/v1/responses', body));
  for (const input of [undefined, null, []]) assert.equal((await ask({ previous_response_id: id, input })).status, 200);
  assert.equal(model.tokenizer.decode(model.requests[0]!.prompt), '[user]Hi[assistant]');
  const { error } = await (await ask({})).json();
  assert.deepEqual([error.code, error.param], ['invalid_request', 'input']);
});

test('a request goes on from a previous response, but for its instructions', async () => {
  const limits = { ...defaultConfig().limits, bodyBytes: 10_000 };
  const { app, model } = scripted(says('ok'), { limits });
  const first = await (await app.fetch(create({ instructions: 'Be brief.' }))).json();
  const second = await (await app.fetch(create({ previous_response_id: first.id, input: 'More' }))).json();
  assert.equal(second.previous_response_id, first.id);
  assert.equal(model.tokenizer.decode(model.requests[1]!.prompt), '[user]Hi[assistant]ok[user]More[assistant]');
  await app.fetch(create({ previous_response_id: second.id, input: [{ role: 'user', content: '!' }] }));
  assert.equal(
    model.tokenizer.decode(model.requests[2]!.prompt),
    '[user]Hi[assistant]ok[user]More[assistant]ok[user]![assistant]',
  );
});

test('with truncation a conversation loses its oldest items where it does not fit; without it is refused', async () => {
  const { app, model } = scripted(says('ok'), { limits: { ...defaultConfig().limits, bodyBytes: 10_000 } });
  const input = [
    { role: 'user', content: 'x'.repeat(120) },
    { role: 'assistant', content: 'y'.repeat(60) },
    { role: 'user', content: 'Now?' },
  ];
  const body = { instructions: 'Be brief.', input };
  for (const truncation of [undefined, 'disabled']) {
    const refused = await app.fetch(create({ ...body, truncation }));
    const { error } = await refused.json();
    assert.deepEqual([refused.status, error.code, error.param], [400, 'context_length_exceeded', 'input']);
  }
  const response = await (await app.fetch(create({ ...body, truncation: 'auto' }))).json();
  assert.deepEqual([response.status, response.truncation], ['completed', 'auto']);
  const short = '[system]Be brief.[user]Now?';
  assert.equal(model.tokenizer.decode(model.requests[0]!.prompt), `${short}[assistant]`);
  // What is kept is whole: the next request may go on from all of it.
  const listed = await (await app.fetch(get(`${response.id}/input_items`))).json();
  assert.equal(listed.data.length, 3);
  await app.fetch(create({ previous_response_id: response.id, input: 'So?', truncation: 'auto' }));
  assert.match(model.tokenizer.decode(model.requests[1]!.prompt), /^\[user\]Now\?\[assistant\]ok\[user\]So\?/);
});

test('another tenant’s, an expired, an unknown and an unstored response are refused in the same words', async () => {
  const clock = { now: 0 };
  const limits = { perTenant: 10, bytesPerTenant: 100_000, keepMs: 1000 };
  const key = (name: string) => `sk-realm-${name.repeat(43)}`;
  const tenants = ['a', 'b'].map(id => ({ id, keys: [hashKey(key(id))], ...tenantDefaults }));
  const { app } = scripted(says('ok'), {
    authenticate: keyAuthentication(tenants),
    responses: new ResponseBook(new MemoryResponseStore(limits, () => clock.now), new MemoryResponseStore(limits)),
  });
  const as = (name: string) => ({ headers: { authorization: `Bearer ${key(name)}` } });
  const { id } = await (await app.fetch(create({}, as('a')))).json();
  const unstored = await (await app.fetch(create({ store: false }, as('a')))).json();
  assert.equal(unstored.store, false);
  assert.equal((await app.fetch(get(id, as('a')))).status, 200);
  const said = async (request: Request) => {
    const response = await app.fetch(request);
    assert.equal(response.status, 404);
    return (await response.json()).error;
  };
  const previous = (name: string, previous_response_id: string) => said(create({ previous_response_id }, as(name)));
  const other = [await said(get(id, as('b'))), await previous('b', id)];
  const unknown = [await said(get('resp_none', as('a'))), await previous('a', 'resp_none')];
  const lost = [await said(get(unstored.id, as('a'))), await previous('a', unstored.id)];
  const foreign = await said(get(id, { ...as('b'), method: 'DELETE' }));
  clock.now = 2000;
  const expired = [await said(get(id, as('a'))), await previous('a', id)];
  assert.deepEqual(other, unknown);
  assert.deepEqual(lost, unknown);
  assert.deepEqual(expired, unknown);
  assert.deepEqual(foreign, unknown[0]);
  assert.equal(unknown[0].code, 'response_not_found');
  assert.equal(unknown[1].code, 'previous_response_not_found');
  assert.equal(unknown[1].param, 'previous_response_id');
});

test('a stored response is deleted, and its input listed', async () => {
  const { app } = scripted(says('ok'));
  const input = ['one', 'two', 'three'].map(content => ({ role: 'user', content }));
  const { id } = await (await app.fetch(create({ input }))).json();
  const list = async (query: string) => (await app.fetch(get(`${id}/input_items${query}`))).json();
  const texts = ({ data }: { data: { content: { text: string }[] }[] }) => data.map(item => item.content[0]!.text);
  const all = await list('?order=asc');
  assert.deepEqual(texts(all), ['one', 'two', 'three']);
  assert.equal(all.has_more, false);
  assert.deepEqual(texts(await list('')), ['three', 'two', 'one']);
  const page = await list('?limit=1&order=asc');
  assert.equal(page.has_more, true);
  assert.deepEqual(texts(await list(`?order=asc&after=${page.last_id}`)), ['two', 'three']);
  assert.equal((await app.fetch(get(`${id}/input_items?limit=0`))).status, 400);
  const deleted = await app.fetch(get(id, { method: 'DELETE' }));
  assert.deepEqual(await deleted.json(), { id, object: 'response', deleted: true });
  assert.equal((await app.fetch(get(id))).status, 404);
});

test('a reference stands for an item of a stored answer', async () => {
  const { app, model } = scripted(says('ok'));
  const { output } = await (await app.fetch(create())).json();
  const input = [
    { role: 'user', content: 'Hi' },
    { type: 'item_reference', id: output[0].id },
    { role: 'user', content: '!' },
  ];
  assert.equal((await app.fetch(create({ input }))).status, 200);
  assert.equal(model.tokenizer.decode(model.requests[1]!.prompt), '[user]Hi[assistant]ok[user]![assistant]');
  input[1]!.id = 'msg_none';
  assert.equal((await app.fetch(create({ input }))).status, 404);
});

test('a response that is being made is seen and cancelled', async () => {
  const gate = Promise.withResolvers<void>();
  let tokens = 0;
  const { app } = scripted({ answer: () => 'abc', pause: async () => (++tokens > 1 ? gate.promise : undefined) });
  const response = await app.fetch(create({ stream: true }));
  const reader = response.body!.getReader();
  const decoder = new TextDecoder();
  let text = '';
  while (!text.includes('output_text.delta')) text += decoder.decode((await reader.read()).value);
  const { id } = JSON.parse(/^data: (.*)$/m.exec(text)![1]!).response;
  assert.equal((await (await app.fetch(get(id))).json()).status, 'in_progress');
  const cancelled = await (await app.fetch(get(`${id}/cancel`, { method: 'POST' }))).json();
  assert.equal(cancelled.status, 'cancelled');
  gate.resolve();
  for (let part = await reader.read(); !part.done; part = await reader.read()) text += decoder.decode(part.value);
  assert.match(text, /event: response\.failed\n.*"status":"cancelled"/);
  assert.equal((await (await app.fetch(get(id))).json()).status, 'cancelled');
  assert.equal((await app.fetch(get('resp_none/cancel', { method: 'POST' }))).status, 404);
  const again = await app.fetch(get(`${id}/cancel`, { method: 'POST' }));
  assert.equal((await again.json()).status, 'cancelled');
});

test('a failure after the first token is the last event', async () => {
  const { app } = scripted({ ...says('abc'), failAfter: { tokens: 1, error: new Error('broken') } });
  const events = await namedFrames(await app.fetch(create({ stream: true })));
  const last = events.at(-1)!;
  assert.equal(last.type, 'response.failed');
  checkEvent(last);
  assert.equal(last.response.error.code, 'internal_error');
  assert.doesNotMatch(last.response.error.message, /broken/);
});

test('what was cut off by max_output_tokens is incomplete', async () => {
  const { app, model } = scripted(says('abcdef'));
  const body = await (await app.fetch(create({ max_output_tokens: 2 }))).json();
  checkResponse(body);
  assert.equal(body.status, 'incomplete');
  assert.equal(model.requests[0]!.maxTokens, 2);
});

test('log-probabilities come where they are asked for', async () => {
  const { app } = scripted(says('ab'));
  const ask = { include: ['message.output_text.logprobs'], top_logprobs: 2 };
  const body = await (await app.fetch(create(ask))).json();
  checkResponse(body);
  const { logprobs } = body.output[0].content[0];
  assert.deepEqual(
    logprobs.map(({ token }: { token: string }) => token),
    ['a', 'b'],
  );
  assert.equal(logprobs[0].top_logprobs.length, 2);
});

test('refusals name the fields of this API', async () => {
  const { app } = scripted(says('ok'));
  const refused = async (body: object) => {
    const response = await app.fetch(create(body));
    assert.equal(response.status, 400);
    const { message, param } = (await response.json()).error;
    return [param, message];
  };
  assert.deepEqual(await refused({ max_output_tokens: 1.5 }), [
    'max_output_tokens',
    'max_output_tokens: must be an integer of at least 0, not 1.5',
  ]);
  assert.equal((await refused({ temperature: 9 }))[0], 'temperature');
  assert.equal((await refused({ background: true }))[0], 'background');
  assert.equal((await refused({ input: [] }))[0], 'input');
  const image = { role: 'user', content: [{ type: 'input_image', image_url: 'x' }] };
  assert.equal((await refused({ input: [image] }))[0], 'input[0].content[0].type');
  assert.equal((await refused({ input: 'x'.repeat(300) }))[0], 'input');
});

test('an input can be stored without an answer', async () => {
  const { app, model } = scripted(says('ok'));
  const first = await (await app.fetch(create({ generate: false }))).json();
  assert.equal(first.status, 'completed');
  assert.deepEqual(first.output, []);
  assert.equal(model.requests.length, 0);
  await app.fetch(create({ previous_response_id: first.id, input: 'More' }));
  assert.equal(model.tokenizer.decode(model.requests[0]!.prompt), '[user]Hi[user]More[assistant]');
});

test('a conversation is compacted into one item, which stands for it', async () => {
  const { app, model } = scripted(says('They met.'));
  const input = [
    { role: 'user', content: 'Hi' },
    { role: 'assistant', content: 'ok' },
  ];
  const response = await app.fetch(post('/v1/responses/compact', { model: 'm', input }));
  const body = await response.json();
  assert.equal(response.status, 200, JSON.stringify(body));
  assert.equal(body.object, 'response.compaction');
  assert.equal(body.output.length, 1);
  await app.fetch(create({ input: [...body.output, { role: 'user', content: '?' }] }));
  assert.match(
    model.tokenizer.decode(model.requests.at(-1)!.prompt),
    /^\[system\][^[]*They met\.\[user\]\?\[assistant\]$/,
  );
  assert.equal((await app.fetch(post('/v1/responses/compact', { input }))).status, 400);
});

test('each path says what it may be asked with', async () => {
  const { app } = scripted(says('ok'));
  const response = await app.fetch(get('resp_1', { method: 'PUT' }));
  assert.equal(response.status, 405);
  assert.equal(response.headers.get('allow'), 'GET, DELETE');
});

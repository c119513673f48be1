import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createApp } from '../../src/server/app.ts';
import { createKey } from '../../src/tenancy/keys.ts';
import { tenantDefaults } from '../../src/tenancy/tenants.ts';
import { keyAuthentication } from '../support/authentication.ts';
import { first } from '../support/entries.ts';
import { frames, post, ScriptedModel, scripted } from './scripted.ts';

const chat = '/v1/chat/completions';
const completion = '/v1/completions';
const messages = [{ role: 'user', content: 'Hi' }];
const says = (text: string) => ({ answer: () => text });
const withMessage = (message: unknown) => ({ messages: [message] });

/** path, body, the start of the message; `param` is what stands before its colon. */
const refused: [string, unknown, string][] = [
  [chat, [], 'must be an object'],
  [chat, {}, 'messages: is required'],
  [chat, { messages: [] }, 'messages: must have at least 1 entries'],
  [chat, { messages: Array(5).fill(messages[0]) }, 'messages: must have at most 4 entries'],
  [chat, { messages: 'Hi' }, 'messages: must be a list'],
  [chat, withMessage('Hi'), 'messages[0]: must be an object'],
  [chat, withMessage({ role: 'user' }), 'messages[0].content: is required'],
  [chat, withMessage({ role: 'user', content: 7 }), 'messages[0].content: must be a string or a list of text parts'],
  [chat, withMessage({ role: 'wizard', content: '' }), 'messages[0].role: must be "system" or "developer" or'],
  [chat, withMessage({ role: 'user', content: [{ type: 'poem' }] }), 'messages[0].content[0].type: must be "text"'],
  [chat, withMessage({ role: 'user', content: [{ type: 'text' }] }), 'messages[0].content[0].text: is required'],
  [
    chat,
    withMessage({ role: 'assistant', content: '', tool_calls: [{}] }),
    'messages[0].tool_calls[0].function: is required',
  ],
  [chat, { messages, temperature: -1 }, 'temperature: must be a number from 0 to 2, not -1'],
  [chat, { messages, temperature: 2.5 }, 'temperature: must be a number from 0 to 2, not 2.5'],
  [chat, { messages, temperature: 'hot' }, 'temperature: must be a number'],
  [chat, { messages, top_p: 1.5 }, 'top_p: must be a number from 0 to 1, not 1.5'],
  [chat, { messages, top_k: -2 }, 'top_k: must be an integer from -1 to 4294967295, not -2'],
  [chat, { messages, min_p: -1 }, 'min_p: must be a number from 0 to 1, not -1'],
  [chat, { messages, repetition_penalty: 0 }, 'repetition_penalty: must be a number from 0.01 to 10, not 0'],
  [chat, { messages, presence_penalty: 3 }, 'presence_penalty: must be a number from -2 to 2, not 3'],
  [chat, { messages, n: 0 }, 'n: must be at least 1'],
  [chat, { messages, n: 1.5 }, 'n: must be an integer'],
  [chat, { messages, n: 5 }, 'n: is too large; one request gets at most 4 answers'],
  [chat, { messages, max_tokens: -2 }, 'max_tokens: must be an integer of at least 0, not -2'],
  [chat, { messages, max_completion_tokens: -5 }, 'max_completion_tokens: must be an integer of at least 0, not -5'],
  [chat, { messages, seed: 1e300 }, 'seed: must be an integer of 64 bits'],
  [chat, { messages, seed: 0.5 }, 'seed: must be an integer of 64 bits'],
  [chat, { messages, max_tokens: 1.5 }, 'max_tokens: must be an integer'],
  [chat, { messages, stream: 'yes' }, 'stream: must be true or false'],
  [chat, { messages, stop: Array(33).fill('a') }, 'stop: must have at most 32 entries'],
  [chat, { messages, stop: [''] }, 'stop[0]: must have at least 1 characters'],
  [chat, { messages, stop: 4 }, 'stop: must be a string or a list'],
  [chat, { messages, logit_bias: { x: 1 } }, 'logit_bias.x: must be a token id'],
  [chat, { messages, logit_bias: { 5: 101 } }, 'logit_bias.5: must be a number from -100 to 100, not 101'],
  [chat, { messages, logit_bias: { 256: 1 } }, 'logit_bias.256: there is no token 256; the vocabulary has 256'],
  [chat, { messages, top_logprobs: 2 }, 'top_logprobs: needs logprobs: true'],
  [chat, { messages, logprobs: true, top_logprobs: 21 }, 'top_logprobs: must be an integer from 0 to 20, not 21'],
  [chat, { messages, logprobs: 3 }, 'logprobs: must be true or false'],
  [chat, { messages, tools: [{ type: 'function' }] }, 'tools[0].function: is required'],
  [chat, { messages, tool_choice: 'required' }, 'tool_choice: needs tools'],
  [
    chat,
    { messages, response_format: { type: 'xml' } },
    'response_format.type: must be "text", "json_object" or "json_schema"',
  ],
  [chat, { messages, modalities: ['audio'] }, 'modalities: is not supported'],
  [chat, { messages, model: 5 }, 'model: must be a string'],
  [chat, { messages, temperature: -1, n: 0 }, 'n: must be at least 1; temperature: must be a number from 0 to 2'],
  [completion, {}, 'prompt: is required'],
  [completion, { prompt: [1, 999] }, 'prompt[1]: there is no token 999'],
  [completion, { prompt: ['a', [1, 0.5]] }, 'prompt[1][1]: there is no token 0.5'],
  [completion, { prompt: [1, 'a'] }, 'prompt: must be a string, a list of token ids, or a list of those'],
  [completion, { prompt: [] }, 'prompt: must be a string, a list of token ids, or a list of those'],
  [completion, { prompt: {} }, 'prompt: must be a string, a list of token ids, or a list of those'],
  [completion, { prompt: ['a', 'b', 'c', 'd', 'e'] }, 'prompt: has too many entries'],
  [completion, { prompt: 'a', echo: true, suffix: 'b' }, 'echo: is not supported together with suffix'],
  [completion, { prompt: 'a', min_tokens: 17 }, 'min_tokens: must be at most max_tokens, 16, not 17'],
  [chat, { messages, prompt_logprobs: 1 }, 'prompt_logprobs: is not supported'],
  [completion, { prompt: 'a', suffix: 'b' }, 'suffix: the model has no tokens for filling in the middle'],
  [completion, { prompt: [1], suffix: 'b' }, 'suffix: needs prompts that are texts'],
  [completion, { prompt: 'a', best_of: 2 }, 'best_of: is not supported'],
  [completion, { prompt: 'a', logprobs: 21 }, 'logprobs: must be an integer from 0 to 20, not 21'],
  ['/tokenize', {}, 'content: is required'],
  ['/detokenize', { tokens: [1, -1] }, 'tokens[1]: there is no token -1; the vocabulary has 256'],
  ['/detokenize', { tokens: [1, 256] }, 'tokens[1]: there is no token 256; the vocabulary has 256'],
  ['/apply-template', {}, 'messages: is required'],
];

for (const [path, body, start] of refused) {
  test(`${path} ${JSON.stringify(body).slice(0, 70)}: ${start}`, async () => {
    const { app, model } = scripted(says('x'));
    const response = await app.fetch(post(path, body));
    assert.equal(response.status, 400);
    const { error } = await response.json();
    assert.ok(error.message.startsWith(start), error.message);
    assert.equal(error.code, 'invalid_request');
    assert.equal(error.type, 'invalid_request_error');
    assert.equal(error.param, /^([\w.[\]]+): /.exec(start)?.[1] ?? null);
    assert.equal(model.requests.length, 0);
  });
}

test('values that change nothing are accepted', async () => {
  const { app } = scripted(says('x'));
  const neutral = {
    tools: [],
    tool_choice: 'none',
    response_format: { type: 'text' },
    modalities: ['text'],
    functions: null,
    stop: null,
    stream: null,
    n: null,
    logprobs: null,
    top_logprobs: null,
    stream_options: null,
    user: null,
    metadata: {},
    store: false,
  };
  assert.equal((await app.fetch(post(chat, { messages, ...neutral }))).status, 200);
  assert.equal((await app.fetch(post(completion, { prompt: 'a', echo: false, suffix: null, best_of: 1 }))).status, 200);
  const values = {
    top_logprobs: 0,
    logprobs: false,
    logit_bias: {},
    stop: [],
    top_k: -1,
    top_p: 1,
    min_p: 0,
    repetition_penalty: 1,
    presence_penalty: 0,
    frequency_penalty: 0,
    priority: 0,
    n: 1,
    stream_options: {},
    tools: null,
  };
  for (const [field, value] of Object.entries(values)) {
    const fields = { messages, logprobs: false, [field]: value };
    assert.equal((await app.fetch(post(chat, fields))).status, 200, field);
  }
  const optional = [...Object.keys(values), ...Object.keys(neutral), 'model', 'seed', 'max_tokens', 'session', 'user'];
  for (const field of [
    ...optional,
    'temperature',
    'save_session',
    'echo',
    'suffix',
    'best_of',
    'max_completion_tokens',
  ]) {
    assert.equal((await app.fetch(post(chat, { messages, [field]: null }))).status, 200, field);
    assert.equal((await app.fetch(post(completion, { prompt: 'a', [field]: null }))).status, 200, field);
  }
});

test('what is no JSON is invalid_json', async () => {
  const { app } = scripted(says('x'));
  for (const body of ['', '{', '{"messages": [}', 'hello', '['.repeat(9_000)]) {
    const response = await app.fetch(post(chat, body));
    assert.equal(response.status, 400);
    assert.equal((await response.json()).error.code, 'invalid_json');
  }
});

test('a body over the limit is refused by its length, or when it has come that far', async () => {
  const { app } = scripted(says('x'));
  const big = 'x'.repeat(10_001);
  const declared = await app.fetch(post(chat, big, { headers: { 'content-length': String(big.length) } }));
  assert.equal(declared.status, 413);
  assert.equal((await declared.json()).error.code, 'body_too_large');

  let sent = 0;
  const endless = new ReadableStream({
    pull(controller) {
      sent++;
      controller.enqueue(new Uint8Array(1000));
    },
  });
  const init = { headers: { 'transfer-encoding': 'chunked' }, body: endless, duplex: 'half' } as RequestInit;
  assert.equal((await app.fetch(post(chat, '', init))).status, 413);
  assert.ok(sent < 20, `${sent} chunks read`);
});

test('an unknown route is 404, a wrong method 405, both with a request id', async () => {
  const { app, lines } = scripted(says('x'));
  const nowhere = await app.fetch(new Request('http://localhost/v2/nothing'));
  assert.equal(nowhere.status, 404);
  assert.deepEqual((await nowhere.json()).error, {
    message: 'There is no GET /v2/nothing here; GET /openapi.json says what there is',
    type: 'invalid_request_error',
    param: null,
    code: 'route_not_found',
  });
  const wrong = await app.fetch(new Request(`http://localhost${chat}`));
  assert.equal(wrong.status, 405);
  assert.equal(wrong.headers.get('allow'), 'POST');
  assert.equal((await wrong.json()).error.code, 'method_not_allowed');
  assert.equal((await app.fetch(post('/health', {}))).status, 405);
  assert.deepEqual(
    lines.map(line => line.request_id).slice(0, 2),
    [nowhere, wrong].map(r => r.headers.get('x-request-id')),
  );
});

test('with several models the name decides; an unknown one is 404', async () => {
  const models = [new ScriptedModel('a', says('from a')), new ScriptedModel('org/b', says('from b'))];
  const { app } = scripted(says(''), { models, anyModelName: false });
  const body = await (await app.fetch(post(chat, { messages, model: 'org/b' }))).json();
  assert.equal(body.choices[0].message.content, 'from b');
  const unknown = await app.fetch(post(chat, { messages, model: 'gpt-4o' }));
  assert.equal(unknown.status, 404);
  const { error } = await unknown.json();
  assert.deepEqual([error.code, error.param], ['model_not_found', 'model']);
  const absent = await app.fetch(post(chat, { messages }));
  assert.equal((await absent.json()).error.message, 'model: is required; models here: a, org/b');
  const list = await (await app.fetch(new Request('http://localhost/v1/models'))).json();
  assert.deepEqual(
    list.data.map((m: { id: string }) => m.id),
    ['a', 'org/b'],
  );
  const one = await (await app.fetch(new Request('http://localhost/v1/models/org/b'))).json();
  assert.equal(one.meta.context, 200);
  assert.equal((await app.fetch(new Request('http://localhost/v1/models/org%2Fb'))).status, 200);
  assert.equal((await app.fetch(new Request('http://localhost/v1/models/c'))).status, 404);
});

test('without a right key every protected route gives the same 401, before the body is read', async () => {
  const { key, hash } = createKey('acme');
  const authenticate = keyAuthentication([{ id: 'acme', keys: [hash], ...tenantDefaults }]);
  const { app, lines } = scripted(says('x'), { authenticate, localOnly: false });
  const answers = new Set<string>();
  for (const path of [chat, completion, '/tokenize', '/detokenize', '/apply-template']) {
    for (const authorization of [undefined, 'Bearer nope', `Basic ${key}`, key]) {
      const response = await app.fetch(post(path, 'not json', { headers: authorization ? { authorization } : {} }));
      assert.equal(response.status, 401);
      assert.equal(response.headers.get('www-authenticate'), 'Bearer');
      answers.add(await response.text());
    }
  }
  assert.equal((await app.fetch(new Request('http://localhost/v1/models'))).status, 401);
  assert.equal(answers.size, 1);
  assert.match(first([...answers]), /"code":"invalid_api_key"/);
  for (const path of ['/health', '/ready', '/metrics']) {
    assert.equal((await app.fetch(new Request(`http://localhost${path}`))).status, 200);
  }
  const right = await app.fetch(post(chat, { messages }, { headers: { authorization: `Bearer ${key}` } }));
  assert.equal(right.status, 200);
  assert.equal(lines.at(-1)?.tenant, 'acme');
  assert.ok(!JSON.stringify(lines).includes(key));
});

test('a server without keys answers no web page of elsewhere', async () => {
  const { app, services } = scripted(says('x'));
  const ask = async (url: string, origin?: string, served = app) => {
    const headers = origin === undefined ? {} : { origin };
    return (await served.fetch(new Request(`${url}/v1/models`, { headers }))).status;
  };
  for (const url of ['http://localhost:8080', 'http://127.0.0.1', 'http://[::1]:9']) assert.equal(await ask(url), 200);
  assert.equal(await ask('http://localhost', 'http://127.0.0.1:3000'), 200);
  for (const url of [
    'http://evil.example',
    'http://localhost.evil.example',
    'http://127.0.0.1.evil.example',
    'http://10.0.0.1',
  ]) {
    assert.equal(await ask(url), 403);
  }
  for (const origin of ['https://evil.example', 'null']) assert.equal(await ask('http://localhost', origin), 403);
  const keyed = createApp({ ...services, localOnly: false });
  assert.equal(await ask('http://evil.example', 'https://evil.example', keyed), 200);
});

test('while loading or stopping, health lives, ready does not, and requests are told', async () => {
  const { app, services, lines } = scripted(says('x'));
  for (const [phase, code] of [
    ['loading', 'not_ready'],
    ['draining', 'shutting_down'],
  ] as const) {
    services.state.phase = phase;
    for (const request of [post(chat, { messages }), new Request('http://localhost/ready')]) {
      const response = await app.fetch(request);
      assert.equal(response.status, 503);
      assert.equal((await response.json()).error.code, code);
    }
    assert.equal((await app.fetch(new Request('http://localhost/health'))).status, 200);
  }
  // A balancer asks all the time; nothing is wrong.
  assert.deepEqual([...new Set(lines.map(({ level }) => level))], ['info']);
});

test('a path that another server has is answered with those that are here', async () => {
  const { app } = scripted(says('x'));
  const asked: [string, RegExp][] = [
    ['/v1/audio/speech', /POST \/v1\/chat\/completions/],
    ['/v1/audio/transcriptions', /POST \/v1\/responses/],
    ['/v1/images/generations', /POST \/v1\/messages/],
    ['/v1/assistants', /POST \/v1\/embeddings/],
    ['/v1/fine_tuning/jobs', /GET \/v1\/models/],
    ['/v1/messages/batches', /POST \/v1\/messages/],
    ['/api/pull', /POST \/api\/chat/],
    ['/api/create', /GET \/api\/tags/],
    ['/audio/speech', /GET \/openapi\.json/],
  ];
  for (const [path, words] of asked) {
    const response = await app.fetch(post(path, {}));
    const { error } = await response.json();
    const message = typeof error === 'string' ? error : error.message;
    assert.equal(response.status, 404);
    assert.ok(message.startsWith(`There is no POST ${path} here; `), message);
    assert.match(message, words);
  }
});

test('logs hold the request, never its words', async () => {
  const { app, lines } = scripted(says('the answer'));
  const response = await app.fetch(post(chat, { messages: [{ role: 'user', content: 'sesame' }] }));
  const line = first(lines);
  assert.equal(line.request_id, response.headers.get('x-request-id'));
  assert.deepEqual([line.path, line.status, line.tenant, line.completion_tokens], [chat, 200, 'default', 10]);
  await app.fetch(post(chat, 'sesame {'));
  assert.ok(!/sesame|the answer/.test(JSON.stringify(lines)));
  assert.equal((await frames(await app.fetch(post(chat, { messages, stream: true })))).at(-1), '[DONE]');
  assert.equal(lines.at(-1)?.completion_tokens, 10);
});

test('no control character of a body reaches an error, and no error is as long as its body', async () => {
  const { app } = scripted(says('x'), { anyModelName: false });
  const unprintable = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;
  const evil = '\u001b[31m\u0000\u009b\u202e\u2028\ud800';
  const bodies = [
    `${evil}{`,
    `{"messages": ${evil}`,
    JSON.stringify({ messages, model: evil }),
    JSON.stringify({ messages, logit_bias: { [evil]: 1 } }),
    JSON.stringify({ messages, model: 'm'.repeat(9_000) }),
    JSON.stringify({ messages, logit_bias: { ['m'.repeat(9_000)]: 1 } }),
  ];
  for (const body of bodies) {
    const response = await app.fetch(post(chat, body));
    assert.ok([400, 404].includes(response.status));
    const { message, param } = (await response.json()).error;
    assert.doesNotMatch(message + param, unprintable);
    assert.ok(message.length + (param ?? '').length < 5_000);
  }
});

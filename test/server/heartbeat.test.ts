/** A stream that waits says that it lives; what is refused is refused with its own status all the same. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import Anthropic from '@anthropic-ai/sdk';
import { Ollama } from 'ollama';
import OpenAI from 'openai';
import { RealmError } from '../../src/errors.ts';
import { listen } from '../../src/server/node.ts';
import { defaultConfig } from '../../src/tenancy/config.ts';
import { type ProgramBody, passThrough, post, type Script, sandboxOf, scripted } from './scripted.ts';

const messages = [{ role: 'user' as const, content: 'Hi' }];
const chat = '/v1/chat/completions';

function serve(script: Script, heartbeatMs: number, program: ProgramBody = passThrough) {
  const http = { ...defaultConfig().http, heartbeatMs };
  return scripted(script, { http, sandbox: sandboxOf(program) });
}

async function urlOf(t: TestContext, parts: ReturnType<typeof scripted>): Promise<string> {
  const listener = await listen(parts.app, '127.0.0.1', 0);
  t.after(() => listener.destroy());
  return `http://127.0.0.1:${listener.port}`;
}

const slowly = (ms: number): Script => ({ answer: () => 'abc', pause: () => sleep(ms) });

test('headers come before a slow first token, comments while nothing else does, and the client takes it', async t => {
  const url = await urlOf(t, serve(slowly(400), 20));
  const began = performance.now();
  const response = await fetch(url + chat, { method: 'POST', body: JSON.stringify({ messages, stream: true }) });
  const headersMs = performance.now() - began;
  const text = await response.text();
  const wholeMs = performance.now() - began;
  assert.ok(headersMs < wholeMs / 2, `headers after ${headersMs} of ${wholeMs} ms`);
  const [before] = text.split('data: ', 1);
  assert.match(before!, /^(: waiting\n\n){2,}$/);
  assert.match(text, /^((: waiting|data: [^\n]+)\n\n)+$/);
  assert.equal(text.match(/data: /g)!.length, 1 + 3 + 1 + 1);
  const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'any', maxRetries: 0 });
  let answer = '';
  for await (const chunk of await openai.chat.completions.create({ model: 'any', messages, stream: true }))
    answer += chunk.choices[0]?.delta.content ?? '';
  assert.equal(answer, 'abc');
});

/** What each API's stream says while it waits, and what stands between these signs. */
const streams: [path: string, body: object, sign: string, rest: RegExp][] = [
  [chat, { messages }, ': waiting\n\n', /^(data: [^\n]+\n\n)+$/],
  ['/v1/completions', { prompt: 'a' }, ': waiting\n\n', /^(data: [^\n]+\n\n)+$/],
  // It begins before the model does.
  ['/v1/responses', { input: 'Hi' }, ': waiting\n\n', /^((event: [^\n]+\n)?data: [^\n]+\n\n)+$/],
  [
    '/v1/messages',
    { messages, max_tokens: 9 },
    'event: ping\ndata: {"type":"ping"}\n\n',
    /^(event: [^\n]+\ndata: [^\n]+\n\n)+$/,
  ],
  ['/api/chat', { messages }, ' ', /^(\{[^\n]+\}\n)+$/],
  ['/api/generate', { prompt: 'a' }, ' ', /^(\{[^\n]+\}\n)+$/],
];

for (const [path, body, sign, rest] of streams) {
  test(`${path}: headers and signs of life come before the first token`, async () => {
    const { app } = serve(slowly(300), 20);
    const response = await app.fetch(post(path, { ...body, stream: true }));
    assert.equal(response.status, 200);
    const pieces = [];
    for await (const piece of response.body!) pieces.push(new TextDecoder().decode(piece));
    const answer = pieces.findIndex(piece => /"(?:content|text|delta|response)":"a/.test(piece));
    assert.ok(answer >= 2 && pieces.slice(0, answer).filter(piece => piece === sign).length >= 2, pieces.join('|'));
    assert.match(pieces.filter(piece => piece !== sign).join(''), rest);
  });
}

test("Anthropic's and Ollama's clients take the signs", async t => {
  const url = await urlOf(t, serve(slowly(100), 20));
  const anthropic = new Anthropic({ baseURL: url, apiKey: 'none', maxRetries: 0 });
  const message = await anthropic.messages.stream({ model: 'any', max_tokens: 9, messages }).finalText();
  assert.equal(message, 'abc');
  let said = '';
  for await (const part of await new Ollama({ host: url }).chat({ model: 'any', messages, stream: true }))
    said += part.message.content;
  assert.equal(said, 'abc');
});

test('a stream that flows has no comments', async () => {
  const { app } = serve({ answer: () => 'x'.repeat(150), pause: () => sleep(1) }, 15_000);
  const text = await (await app.fetch(post(chat, { messages, stream: true }))).text();
  assert.doesNotMatch(text, /: waiting/);
});

test('headers come a second after the engine has got the request', async () => {
  const { app } = serve(slowly(2_500), 15_000);
  const began = performance.now();
  const response = await app.fetch(post(chat, { messages, stream: true, max_tokens: 1 }));
  const headersMs = performance.now() - began;
  assert.ok(headersMs > 900 && headersMs < 2_400, `${headersMs} ms`);
  assert.match(await response.text(), /\[DONE\]/);
});

test('a refusal of the engine has its own status, also when it has been waited for', async () => {
  for (const [error, status] of [
    [new RealmError('queue_full', 'too many wait', { retryAfter: 3 }), 429],
    [new RealmError('context_length_exceeded', 'too long'), 400],
  ] as const) {
    const late: ProgramBody = async function* (call) {
      await sleep(1_500);
      yield* passThrough(call);
    };
    const { app, services } = serve({ ...slowly(300), failAfter: { tokens: 0, error } }, 15_000, late);
    const response = await app.fetch(post(chat, { messages, stream: true }));
    assert.equal(response.status, status);
    assert.equal((await response.json()).error.code, error.code);
    assert.equal(services.state.open.size, 0);
  }
});

test('what fails after the headers is a last frame, and is logged as what it was', async () => {
  const error = new RealmError('queue_timeout', 'waited too long');
  const { app, lines } = serve({ ...slowly(200), failAfter: { tokens: 0, error } }, 20);
  const response = await app.fetch(post(chat, { messages, stream: true }));
  assert.equal(response.status, 200);
  assert.match(await response.text(), /data: \{"error":\{[^\n]*"code":"queue_timeout"\}\}\n\n$/);
  assert.deepEqual([lines[0]!.status, lines[0]!.code], [503, 'queue_timeout']);
});

test('a client that leaves between the headers and the first token, reading or not, ends it', async () => {
  for (const read of [true, false]) {
    const { app, services, model, lines } = serve(slowly(100), 20);
    const { body } = await app.fetch(post(chat, { messages, stream: true }));
    const reader = body!.getReader();
    if (read) await reader.read();
    await reader.cancel();
    assert.equal(services.state.open.size, 0);
    assert.equal(model.running, 0);
    assert.deepEqual([lines[0]!.status, lines[0]!.code], [499, 'request_cancelled']);
  }
});

test('comments do not pile up before a client that does not read', async () => {
  const { app } = serve(slowly(300), 10);
  const reader = (await app.fetch(post(chat, { messages, stream: true }))).body!.getReader();
  const texts: string[] = [];
  const read = async () => texts.push(new TextDecoder().decode((await reader.read()).value));
  await read();
  await sleep(500);
  await read();
  await read();
  await reader.cancel();
  assert.match(texts[2]!, /^data: /, JSON.stringify(texts));
});

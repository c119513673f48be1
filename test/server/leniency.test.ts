/** What clients send, though no specification says that they may. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { routes } from '../../src/server/app.ts';
import { post, scripted } from './scripted.ts';
import { ToolModel } from './tool-model.ts';

const chat = '/v1/chat/completions';
const messages = [{ role: 'user', content: 'Hi' }];

test('every route is there without /v1, and with a slash at its end', async () => {
  const { app } = scripted({ answer: () => 'x' });
  // Files of pages have their names alone, and are there where they have been built.
  for (const { method, path } of routes.filter(({ path }) => !/^\/(page|local)\b/.test(path))) {
    const plain = path.replace(/:\w+(\{[^}]*\})?/g, 'some');
    for (const each of new Set([plain, plain.replace(/^\/v1/, ''), `${plain}/`])) {
      const request = method === 'POST' ? post(each, '{') : new Request(`http://localhost${each}`, { method });
      const response = await app.fetch(request);
      const said = response.ok ? '' : await response.text();
      assert.doesNotMatch(said, /route_not_found|method_not_allowed/, `${method} ${each}`);
    }
  }
});

test('as many as 32 stop strings, and only the first that comes ends the answer', async () => {
  const { app, model } = scripted({ answer: () => 'one, two. three' });
  const stop = Array.from({ length: 31 }, (_, i) => `never ${i}`);
  const response = await app.fetch(post(chat, { messages, stop: [...stop, '.'] }));
  assert.equal((await response.json()).choices[0].message.content, 'one, two');
  assert.equal(model.requests[0]!.stop!.length, 32);
});

test('an assistant that said nothing, by null, by absence and by an empty list', async () => {
  const model = new ToolModel('scripted', { answer: () => 'x', context: 10_000 });
  const { app } = scripted({ answer: () => '' }, { models: [model] });
  const call = { id: 'c', type: 'function', function: { name: 'f', arguments: '{}' } };
  for (const content of [null, undefined, []]) {
    const said = [...messages, { role: 'assistant', content, tool_calls: [call] }];
    const response = await app.fetch(post(chat, { messages: said }));
    assert.equal(response.status, 200, await response.text());
    const prompt = JSON.parse(model.tokenizer.decode(model.requests.at(-1)!.prompt));
    assert.equal(prompt.messages[1].content, '');
  }
});

test('the text of a chat has its tools', async () => {
  const model = new ToolModel('scripted', { answer: () => 'x', context: 10_000 });
  const { app } = scripted({ answer: () => '' }, { models: [model] });
  const tools = [{ type: 'function', function: { name: 'weather' } }];
  const { prompt } = await (await app.fetch(post('/apply-template', { messages, tools }))).json();
  assert.equal(JSON.parse(prompt).tools[0].function.name, 'weather');
  const none = await (await app.fetch(post('/apply-template', { messages, tools, tool_choice: 'none' }))).json();
  assert.equal(JSON.parse(none.prompt).tools, undefined);
});

test('compressed bodies, in every API', async () => {
  const { app } = scripted({ answer: () => 'x' });
  const bodies: [path: string, body: object][] = [
    [chat, { messages }],
    ['/v1/completions', { prompt: 'a' }],
    ['/v1/responses', { input: 'Hi' }],
    ['/v1/messages', { messages, max_tokens: 9 }],
    ['/api/chat', { messages, stream: false }],
    ['/v1/embeddings', { input: 'a' }],
  ];
  for (const [path, body] of bodies) {
    const bytes = gzipSync(JSON.stringify(body));
    const init = { body: bytes, headers: { 'content-encoding': 'gzip', 'content-length': String(bytes.length) } };
    assert.equal((await app.fetch(post(path, '', init))).status, 200, path);
  }
});

test('a chat that is too long may lose its oldest messages', async () => {
  const { app, model } = scripted({ answer: () => 'x' });
  const long = [{ role: 'user', content: 'y'.repeat(300) }, { role: 'assistant', content: 'z' }, ...messages];
  assert.equal((await app.fetch(post(chat, { messages: long }))).status, 400);
  assert.equal((await app.fetch(post(chat, { messages: long, truncation: 'auto' }))).status, 200);
  assert.equal(model.tokenizer.decode(model.requests[0]!.prompt), '[user]Hi[assistant]');
});

/** Ollama's routes, as its own client speaks them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ollama } from 'ollama';
import { post, type Script, scripted } from './scripted.ts';
import { callText, toolFormat } from './tool-model.ts';

const tools = [{ type: 'function', function: { name: 'weather', description: 'of a city', parameters: {} } }];
const messages = [{ role: 'user', content: 'Hi' }];

function client(answer: string | Script['answer']) {
  const server = scripted({ answer: typeof answer === 'string' ? () => answer : answer });
  Object.assign(server.model, { format: toolFormat });
  const fetch = async (url: unknown, init?: RequestInit) => server.app.fetch(new Request(String(url), init));
  const ollama = new Ollama({ host: 'http://localhost', fetch: fetch as typeof globalThis.fetch });
  return { ...server, ollama };
}

const promptOf = ({ model }: Pick<ReturnType<typeof scripted>, 'model'>) =>
  String.fromCodePoint(...model.requests[0]!.prompt.slice(1));

test('a chat, whole and as it comes', async () => {
  const { ollama } = client('<think>hm</think>Hello');
  const whole = await ollama.chat({ model: 'scripted:latest', messages });
  assert.deepEqual(whole.message, { role: 'assistant', content: 'Hello', thinking: 'hm' });
  assert.deepEqual([whole.model, whole.done, whole.done_reason], ['scripted', true, 'stop']);
  assert.deepEqual([whole.prompt_eval_count, whole.eval_count, whole.load_duration], [20, 22, 0]);
  assert.ok(whole.total_duration >= whole.prompt_eval_duration + whole.eval_duration - 2);
  assert.ok(whole.eval_duration > 0 && Number.isInteger(whole.eval_duration));
  const said = { content: '', thinking: '' };
  let last: { done: boolean } | undefined;
  for await (const part of await ollama.chat({ model: 'scripted', messages, stream: true, think: true })) {
    said.content += part.message.content;
    said.thinking += part.message.thinking ?? '';
    last = part;
  }
  assert.deepEqual([said, last?.done], [{ content: 'Hello', thinking: 'hm' }, true]);
});

test('a stream is what is asked for by silence, in lines', async () => {
  const { app } = client('Hi');
  const response = await app.fetch(post('/api/chat', { model: 'x', messages }));
  assert.equal(response.headers.get('content-type'), 'application/x-ndjson');
  const lines = (await response.text())
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line));
  assert.deepEqual(
    lines.map(line => line.done),
    [false, false, true],
  );
});

test('options, under the names of the engine', async () => {
  const { ollama, model } = client('x'.repeat(50));
  const options = { num_predict: 3, temperature: 0.5, top_k: 7, repeat_penalty: 1.3, repeat_last_n: -1, seed: 5 };
  const { done_reason } = await ollama.chat({ model: 'x', messages, options });
  assert.equal(done_reason, 'length');
  const { maxTokens, sampling } = model.requests[0]!;
  assert.deepEqual(
    [maxTokens, sampling.temperature, sampling.topK, sampling.repetitionPenalty, sampling.penaltyWindow, sampling.seed],
    [...[3, 0.5, 7, 1.3, 2 ** 32, 5]],
  );
});

test('calls of tools are objects, and a history of them goes back', async () => {
  const server = client(callText('weather', { city: 'Rome' }));
  const { ollama, services } = server;
  const { message } = await ollama.chat({ model: 'x', messages, tools });
  assert.deepEqual(message.tool_calls?.[0]?.function, { index: 0, name: 'weather', arguments: { city: 'Rome' } });
  const calls = [];
  for await (const part of await ollama.chat({ model: 'x', messages, tools, stream: true }))
    calls.push(...(part.message.tool_calls ?? []));
  assert.deepEqual(
    calls.map(each => each.function.arguments),
    [{ city: 'Rome' }],
  );
  const history = [...messages, message, { role: 'tool', content: 'sunny', tool_name: 'weather' }];
  await ollama.chat({ model: 'x', messages: history, tools });
  const document = JSON.parse((services.sandbox as unknown as { calls: { prompt: string }[] }).calls.at(-1)!.prompt);
  assert.equal(document.messages[1].tool_calls[0].function.arguments, '{"city":"Rome"}');
  assert.deepEqual(document.messages[2], { role: 'tool', content: 'sunny', name: 'weather' });
});

test('a format is a constraint', async () => {
  const { ollama, model } = client('{}');
  await ollama.chat({ model: 'x', messages, format: 'json' });
  await ollama.generate({ model: 'x', prompt: 'y', format: { type: 'object' } });
  assert.match(JSON.stringify(model.requests[0]!.constraint), /json_object/);
  assert.match(JSON.stringify(model.requests[1]!.constraint), /json_schema/);
});

test('a prompt is a message, or with raw the whole text', async () => {
  const chat = client('ok');
  const { response } = await chat.ollama.generate({ model: 'x', prompt: 'Hi', system: 'Be brief.' });
  assert.equal(response, 'ok');
  assert.equal(promptOf(chat), '[system]Be brief.[user]Hi[assistant]');
  const raw = client('y'.repeat(50));
  const whole = await raw.ollama.generate({ model: 'x', prompt: 'Hi', raw: true });
  assert.equal(whole.response?.length, 50);
  assert.equal(promptOf(raw), 'Hi');
});

test('a text without a template takes nothing that only a template could say', async () => {
  const { app } = client('x');
  for (const field of [{ system: 'Be brief.' }, { think: true }, { truncate: true }]) {
    for (const plain of [{ raw: true }, { suffix: 'b' }]) {
      const response = await app.fetch(post('/api/generate', { prompt: 'a', ...plain, ...field }));
      const { param, error } = await response.json();
      assert.deepEqual([response.status, param], [400, Object.keys(field)[0]]);
      assert.match(error, /needs a template/);
    }
  }
});

test('log-probabilities, of chats and texts, whole and as they come', async () => {
  const { ollama } = client('Hi');
  const wish = { model: 'x', logprobs: true, top_logprobs: 1 };
  const entry = (token: string) => ({
    ...{ token, logprob: -0.5, bytes: [token.charCodeAt(0)] },
    top_logprobs: [{ token, logprob: -0.5, bytes: [token.charCodeAt(0)] }],
  });
  const both = [entry('H'), entry('i')];
  assert.deepEqual((await ollama.chat({ ...wish, messages })).logprobs, both);
  assert.deepEqual((await ollama.generate({ ...wish, prompt: 'a' })).logprobs, both);
  assert.deepEqual((await ollama.generate({ ...wish, prompt: 'a', raw: true })).logprobs, both);
  const streamed = [];
  for await (const part of await ollama.chat({ ...wish, messages, stream: true }))
    streamed.push(...(part.logprobs ?? []));
  assert.deepEqual(streamed, both);
  assert.ok(!('logprobs' in (await ollama.chat({ model: 'x', messages }))));
});

test('a chat that is too long loses its oldest messages, unless that is not wanted', async () => {
  const server = client('ok');
  const long = [{ role: 'user', content: 'x'.repeat(250) }, { role: 'assistant', content: 'y' }, ...messages];
  assert.equal((await server.ollama.chat({ model: 'x', messages: long })).message.content, 'ok');
  assert.equal(promptOf(server), '[user]Hi[assistant]');
  const refused = await server.app.fetch(post('/api/chat', { messages: long, truncate: false }));
  assert.deepEqual([refused.status, (await refused.json()).code], [400, 'context_length_exceeded']);
});

test('a text that is too long to be embedded loses its end, unless that is not wanted', async () => {
  const { ollama, app, model } = client('x');
  await ollama.embed({ model: 'x', input: ['z'.repeat(300), 'a'] });
  assert.deepEqual(model.embedded.map(({ prompt }) => prompt.length).sort(), [2, 200]);
  const refused = await app.fetch(post('/api/embed', { input: 'z'.repeat(300), truncate: false }));
  assert.deepEqual([refused.status, (await refused.json()).code], [400, 'context_length_exceeded']);
});

test('a request without words says that the model is loaded; none is unloaded', async () => {
  const { ollama, model, app } = client('x');
  const { done_reason, response } = await ollama.generate({ model: 'scripted', prompt: '' });
  assert.deepEqual([done_reason, response, model.requests.length], ['load', '', 0]);
  const away = await app.fetch(post('/api/chat', { model: 'scripted', keep_alive: 0 }));
  // On this machine everybody is the operator.
  assert.deepEqual([away.status, (await away.json()).done_reason], [200, 'unload']);
  assert.deepEqual((await ollama.ps()).models, []);
  assert.deepEqual((await ollama.list()).models.length, 1);
});

test('models: listed, shown, running; and the version', async () => {
  const { ollama } = client('x');
  const [tag] = (await ollama.list()).models;
  assert.deepEqual([tag!.name, tag!.size, tag!.details.format], ['scripted', 1000, 'gguf']);
  assert.match(tag!.digest, /^[0-9a-f]{64}$/);
  assert.equal((await ollama.ps()).models[0]!.digest, tag!.digest);
  const shown = await ollama.show({ model: 'scripted:latest' });
  assert.deepEqual(shown.capabilities, ['completion', 'tools', 'thinking', 'embedding']);
  assert.equal((shown.model_info as unknown as Record<string, number>)['scripted.context_length'], 200);
  assert.equal((await ollama.ps()).models[0]!.name, 'scripted');
  assert.match((await ollama.version()).version, /^\d+\.\d+\.\d+$/);
});

test('embeddings, by the new route and the old', async () => {
  const { ollama } = client('x');
  const { embeddings, prompt_eval_count } = await ollama.embed({ model: 'x', input: ['a', 'bc'] });
  assert.deepEqual(
    embeddings.map(([length]) => length),
    [2, 3],
  );
  assert.equal(prompt_eval_count, 5);
  assert.equal((await ollama.embeddings({ model: 'x', prompt: 'abc' })).embedding[0], 4);
});

test("errors have Ollama's shape and its names of fields", async () => {
  const { app } = client('x');
  const wrong: [object, RegExp, string][] = [
    [{ options: { temperature: 3 } }, /^options\.temperature: must be a number from 0 to 2/, 'options.temperature'],
    [{ options: { num_predict: 1.5 } }, /^options\.num_predict/, 'options.num_predict'],
    [{ think: 3 }, /^think: must be true or false or "low"/, 'think'],
    [{ format: 3 }, /^format: must be/, 'format'],
    [{ options: { mirostat: 1 } }, /^options\.mirostat: is not supported/, 'options.mirostat'],
    [{ options: { penalize_newline: false } }, /^options\.penalize_newline: is not/, 'options.penalize_newline'],
    [{ options: { repeat_last_n: -2 } }, /^options\.repeat_last_n: must be/, 'options.repeat_last_n'],
    [{ shift: true }, /^shift: is not supported/, 'shift'],
    [{ logprobs: true, top_logprobs: 30 }, /^top_logprobs: must be/, 'top_logprobs'],
  ];
  for (const [fields, words, param] of wrong) {
    const response = await app.fetch(post('/api/chat', { model: 'x', messages, ...fields }));
    const { error, ...rest } = await response.json();
    assert.match(error, words);
    assert.deepEqual([response.status, rest], [400, { code: 'invalid_request', param }]);
  }
  const { error } = await (await app.fetch(post('/api/pull', { model: 'x' }))).json();
  assert.match(error, /There is no POST \/api\/pull here; here are POST \/api\/chat, POST \/api\/generate/);
});

/** Pipelines as models of Chat Completions, and as tools of each other. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runAsTool } from '../../src/server/pipelines/tool.ts';
import type { Services } from '../../src/server/services.ts';
import { bookOf, each, echoing, greet, join, piped } from './pipelines.ts';
import { frames, post, scripted } from './scripted.ts';

const said = (content: string) => [{ role: 'user', content }];
const ask = (model: string, content: string, more: object = {}) =>
  post('/v1/chat/completions', { model: `pipeline/${model}`, messages: said(content), ...more });

test('what the user says last is the input, and the output is the answer', async () => {
  const { app, lines } = piped([greet]);
  const messages = [...said('before'), { role: 'assistant', content: 'yes?' }, ...said('bob')];
  const response = await app.fetch(ask('greet', '', { messages, temperature: 0, max_tokens: 5 }));
  const { model, choices, usage, object } = await response.json();
  assert.deepEqual([object, model], ['chat.completion', 'pipeline/greet']);
  assert.deepEqual([choices[0].message.content, choices[0].finish_reason], ['BOB', 'stop']);
  assert.equal(usage.completion_tokens, 3);
  assert.equal(lines.find(({ message }) => message === 'request')?.model, 'pipeline/greet');
});

test('an input that is no single text is sent as JSON, and so comes the output', async () => {
  const { app } = piped([greet, join, each]);
  const answer = await (await app.fetch(ask('join', '{"a": "one", "b": "two"}'))).json();
  assert.deepEqual(JSON.parse(answer.choices[0].message.content), { both: 'ONE & TWO' });
  const list = await (await app.fetch(ask('each', '["x", "y"]'))).json();
  assert.equal(list.choices[0].message.content, '["X","Y"]');
  const object = await (await app.fetch(ask('greet', '{"name": "bob"}'))).json();
  assert.equal(object.choices[0].message.content, 'BOB');
  const text = await (await app.fetch(ask('greet', '{"else": bob'))).json();
  assert.equal(text.choices[0].message.content, 'BOB');
  const refused = await app.fetch(ask('join', 'no JSON'));
  const { error } = await refused.json();
  assert.deepEqual([refused.status, error.param], [400, 'messages']);
  assert.match(error.message, /must be JSON/);
});

test('an answer is streamed as its step writes it, or at once where the output is made of several', async () => {
  const { app } = piped([greet, join]);
  const contents = async (request: Request) => {
    const all = await frames(await app.fetch(request));
    assert.equal(all.pop(), '[DONE]');
    return all.flatMap(({ choices }) =>
      choices.map(({ delta }: { delta: { content?: string } }) => delta.content ?? null),
    );
  };
  assert.deepEqual(await contents(ask('greet', 'bob', { stream: true })), ['', 'B', 'O', 'B', null]);
  const json = '{"a": "one", "b": "two"}';
  assert.deepEqual(await contents(ask('join', json, { stream: true })), ['', '{"both":"ONE & TWO"}', null]);
  const usage = await frames(
    await app.fetch(ask('greet', 'bob', { stream: true, stream_options: { include_usage: true } })),
  );
  assert.equal(usage.at(-2).usage.completion_tokens, 3);
});

test('a step that fails after its text was sent is not sent again', async () => {
  const again = greet.replace('prompt:', 'retry: { max: 1 }, prompt:');
  let tries = 0;
  const script = {
    answer: () => ['first', 'second'][tries++]!,
    get failAfter() {
      return { tokens: tries === 1 ? 1 : 100, error: new Error('it died') };
    },
  };
  const { app } = piped([again], script);
  const all = await frames(await app.fetch(ask('greet', 'bob', { stream: true })));
  assert.equal(all.at(-1).error.code, 'pipeline_failed');
  assert.match(all.at(-1).error.message, /had been sent/);
});

test('what a pipeline cannot do is refused, by the field', async () => {
  const { app } = piped([greet]);
  const tools = [{ type: 'function', function: { name: 'f', parameters: { type: 'object' } } }];
  for (const [param, more] of Object.entries({
    n: { n: 2 },
    tools: { tools },
    response_format: { response_format: { type: 'json_object' } },
    logprobs: { logprobs: true },
  })) {
    const response = await app.fetch(ask('greet', 'bob', more));
    assert.deepEqual([response.status, (await response.json()).error.param], [400, param]);
  }
  const unknown = await app.fetch(ask('nothing', 'bob'));
  assert.deepEqual([unknown.status, (await unknown.json()).error.code], [404, 'pipeline_not_found']);
});

test('pipelines are among the models', async () => {
  const { app } = piped([greet]);
  const get = async (path: string) => (await app.fetch(new Request(`http://localhost${path}`))).json();
  const { data } = await get('/v1/models');
  const one = { id: 'pipeline/greet', object: 'model', created: 1_700_000_000, owned_by: 'pipeline' };
  assert.deepEqual(data.at(-1), one);
  assert.deepEqual(await get('/v1/models/pipeline/greet'), one);
});

const calling = (tool: string, input = 'input') => `
pipeline: outer
steps:
  - { id: inner, tool: ${tool}, input: '${input}' }
output: inner
`;

/** Tools that are the pipelines of the same names. */
function withTools(texts: readonly string[]) {
  const tools = {
    call: (step: Parameters<typeof runAsTool>[1]): Promise<unknown> => runAsTool(services, step),
  };
  const made = scripted(echoing, { pipelines: bookOf(texts, { tools }) });
  const services: Services = made.services;
  return made;
}

test('a tool may be a pipeline; what it used is the step’s', async () => {
  const { app, services } = withTools([calling('greet', '{"name": input}'), greet]);
  const answer = await (await app.fetch(post('/v1/pipelines/outer', { input: 'bob' }))).json();
  assert.equal(answer.output, 'BOB', JSON.stringify(answer));
  assert.deepEqual([answer.usage.completion_tokens, answer.steps[0].usage.completion_tokens], [3, 3]);
  const runs = services.pipelines.runs.list();
  assert.equal(new Set(runs.map(({ id }) => id)).size, 2);
  assert.deepEqual(runs.map(({ pipeline }) => pipeline).sort(), ['greet', 'outer']);
});

test('pipelines that call each other without end are ended', async () => {
  const { app, services } = withTools([calling('outer')]);
  const response = await app.fetch(post('/v1/pipelines/outer', { input: 'x' }));
  const { error } = await response.json();
  assert.deepEqual([response.status, error.code], [502, 'pipeline_failed']);
  assert.match(error.message, /at most 4 deep/);
  assert.equal(services.pipelines.runs.list().length, 5);
});

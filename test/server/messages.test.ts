/** The Messages API, as Anthropic's own client speaks it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { defaultConfig } from '../../src/tenancy/config.ts';
import { createKey } from '../../src/tenancy/keys.ts';
import { tenantDefaults } from '../../src/tenancy/tenants.ts';
import { keyAuthentication } from '../support/authentication.ts';
import { post, type Script, scripted } from './scripted.ts';
import { callText, toolFormat } from './tool-model.ts';

const tools: Anthropic.Tool[] = [
  { name: 'weather', input_schema: { type: 'object', properties: { city: { type: 'string' } } } },
];

const call = (city: string) => callText('weather', { city });

function client(answer: string | Script['answer'], overrides: Parameters<typeof scripted>[1] = {}) {
  const server = scripted({ answer: typeof answer === 'string' ? () => answer : answer }, overrides);
  Object.assign(server.model, { format: toolFormat });
  const fetch: typeof globalThis.fetch = async (url, init) => server.app.fetch(new Request(url as string, init));
  const anthropic = new Anthropic({ baseURL: 'http://localhost', apiKey: 'none', fetch, maxRetries: 0 });
  return { ...server, anthropic };
}

const hello = { model: 'any', max_tokens: 170, messages: [{ role: 'user' as const, content: 'Hi' }] };

/** What the model was given, without the token that begins a text. */
const promptOf = ({ model }: Pick<ReturnType<typeof scripted>, 'model'>) =>
  String.fromCodePoint(...model.requests[0]!.prompt.slice(1));

test('a whole answer, with usage', async () => {
  const { anthropic, model } = client('Hello');
  const sampling: object = { temperature: 0.5, top_k: 3 };
  const message = await anthropic.messages.create({ ...hello, ...sampling, metadata: { user_id: 'u' } });
  assert.deepEqual(message.content, [{ type: 'text', text: 'Hello' }]);
  assert.match(message.id, /^msg_/);
  assert.deepEqual([message.type, message.role, message.model], ['message', 'assistant', 'scripted']);
  assert.deepEqual([message.stop_reason, message.stop_sequence], ['end_turn', null]);
  const { input_tokens, cache_read_input_tokens, output_tokens } = message.usage;
  assert.deepEqual([input_tokens + cache_read_input_tokens!, output_tokens], [20, 5]);
  assert.match(message._request_id!, /^req_/);
  assert.deepEqual([model.requests[0]!.maxTokens, model.requests[0]!.sampling.topK], [170, 3]);
});

test('a streamed answer is what the client makes of its events', async () => {
  const { anthropic } = client('<think>hm</think>Hello');
  const stream = anthropic.messages.stream({ ...hello, thinking: { type: 'enabled', budget_tokens: 1024 } });
  const kinds: string[] = [];
  stream.on('streamEvent', event => kinds.push(event.type));
  const { content, stop_reason, usage } = await stream.finalMessage();
  assert.deepEqual(content, [
    { type: 'thinking', thinking: 'hm', signature: '' },
    { type: 'text', text: 'Hello' },
  ]);
  assert.equal(stop_reason, 'end_turn');
  assert.equal(usage.output_tokens, 22);
  assert.deepEqual(
    kinds.filter((kind, i) => kind !== kinds[i - 1]),
    [
      'message_start',
      ...['content_block_start', 'content_block_delta', 'content_block_stop'],
      ...['content_block_start', 'content_block_delta', 'content_block_stop'],
      'message_delta',
      'message_stop',
    ],
  );
});

test('events have names, and no last word but their own', async () => {
  const { app } = client('Hi');
  const text = await (await app.fetch(post('/v1/messages?beta=true', { ...hello, stream: true }))).text();
  const names = [...text.matchAll(/^event: (\w+)\ndata: \{"type":"(\w+)"/gm)];
  assert.ok(names.every(([, name, type]) => name === type));
  assert.deepEqual(
    names.slice(0, 2).map(([, name]) => name),
    ['message_start', 'ping'],
  );
  assert.equal(names.at(-1)![1], 'message_stop');
  assert.doesNotMatch(text, /DONE/);
});

test('calls of tools, streamed and whole', async () => {
  const { anthropic } = client(`Let me see.${call('Rome')}\n${call('Oslo')}`);
  const uses = [{ city: 'Rome' }, { city: 'Oslo' }];
  for (const message of [
    await anthropic.messages.create({ ...hello, tools }),
    await anthropic.messages.stream({ ...hello, tools }).finalMessage(),
  ]) {
    assert.equal(message.stop_reason, 'tool_use');
    const [first, ...calls] = message.content;
    assert.deepEqual(first, { type: 'text', text: 'Let me see.' });
    assert.deepEqual(
      calls.map(each => each.type === 'tool_use' && each.input),
      uses,
    );
    assert.ok(calls.every(each => each.type === 'tool_use' && each.name === 'weather' && each.id !== ''));
  }
});

test('what may be called becomes the constraint', async () => {
  const choices = [
    [{ type: 'auto' }, 'auto', true],
    [{ type: 'auto', disable_parallel_tool_use: true }, 'auto', false],
    [{ type: 'any' }, 'required', true],
    [{ type: 'tool', name: 'weather' }, 'required', false],
  ] as const;
  for (const [tool_choice, choice, parallel] of choices) {
    const { anthropic, model } = client(call('Rome'));
    await anthropic.messages.create({ ...hello, tools, tool_choice });
    const { constraint } = model.requests[0]!;
    assert.ok(constraint?.kind === 'answer' && constraint.tools);
    assert.deepEqual([constraint.tools.choice, constraint.tools.parallel], [choice, parallel]);
  }
  const { anthropic, model } = client('none');
  await anthropic.messages.create({ ...hello, tools, tool_choice: { type: 'none' } });
  assert.equal(model.requests[0]!.constraint, undefined);
});

test('a history with thoughts, calls and results becomes the chat that templates know', async () => {
  const limits = { ...defaultConfig().limits, messages: 5 };
  const { anthropic, services } = client('ok', { limits });
  await anthropic.messages.create({
    ...hello,
    system: [{ type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral' } }],
    messages: [
      { role: 'user', content: [{ type: 'text', text: 'Weather?' }] },
      {
        role: 'assistant',
        content: [
          { type: 'thinking', thinking: 'I look', signature: 'x' },
          { type: 'tool_use', id: 'toolu_1', name: 'weather', input: { city: 'Rome' } },
        ],
      },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: 'toolu_1', content: [{ type: 'text', text: 'sunny' }] },
          { type: 'text', text: 'So?' },
        ],
      },
    ],
    tools,
  });
  const { messages } = JSON.parse((services.sandbox as unknown as { calls: { prompt: string }[] }).calls[0]!.prompt);
  assert.deepEqual(messages, [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'Weather?' },
    {
      role: 'assistant',
      content: '',
      reasoning_content: 'I look',
      tool_calls: [{ id: 'toolu_1', type: 'function', function: { name: 'weather', arguments: '{"city":"Rome"}' } }],
    },
    { role: 'tool', content: 'sunny', tool_call_id: 'toolu_1' },
    { role: 'user', content: 'So?' },
  ]);
});

test('a result that is an error says so in its text, once', async () => {
  const server = client('ok');
  const texts = [];
  for (const [content, is_error] of [
    ['no such file', true],
    ['Error: no such file', true],
    ['fine', false],
    [undefined, true],
  ] as const) {
    const result = { type: 'tool_result' as const, tool_use_id: 't', ...(content && { content }), is_error };
    await server.anthropic.messages.create({ ...hello, messages: [{ role: 'user', content: [result] }] });
    const { calls } = server.services.sandbox as unknown as { calls: { prompt: string }[] };
    texts.push(JSON.parse(calls.at(-1)!.prompt).messages[0].content);
  }
  assert.deepEqual(texts, ['Error: no such file', 'Error: no such file', 'fine', 'Error: ']);
});

test('what Claude Code sends beside the API is understood', async () => {
  const server = client('ok');
  const body = {
    ...hello,
    system: [
      { type: 'text', text: 'x-anthropic-billing-header: cc_version=2.1; cch=12345;' },
      { type: 'text', text: 'You are an agent.', cache_control: { type: 'ephemeral' } },
    ],
    messages: [
      { role: 'user', content: 'Hi' },
      { role: 'system', content: 'The date has changed.' },
    ],
    max_tokens: 32_000,
    thinking: { type: 'adaptive' },
    context_management: { edits: [{ type: 'clear_thinking_20251015', keep: 'all' }] },
    output_config: { effort: 'high' },
    betas: ['x'],
  };
  const response = await server.app.fetch(post('/v1/messages?beta=true', body));
  assert.equal(response.status, 200);
  assert.equal(promptOf(server), '[system]You are an agent.[user]Hi[system]The date has changed.[assistant]');
  assert.equal((await server.app.fetch(new Request('http://localhost/', { method: 'HEAD' }))).status, 200);
});

test('an assistant turn at the end is gone on with', async () => {
  const server = client(' is');
  const messages = [...hello.messages, { role: 'assistant' as const, content: 'The answer' }];
  const { content } = await server.anthropic.messages.create({ ...hello, messages });
  assert.deepEqual(content, [{ type: 'text', text: ' is' }]);
  const { continue_final_message } = JSON.parse(
    (server.services.sandbox as unknown as { calls: { prompt: string }[] }).calls[0]!.prompt,
  );
  assert.equal(continue_final_message, true);
});

test('why an answer ended: its length, or which stop sequence', async () => {
  const long = await client('x'.repeat(50)).anthropic.messages.create({ ...hello, max_tokens: 3 });
  assert.equal(long.stop_reason, 'max_tokens');
  const { anthropic } = client('one END two');
  for (const message of [
    await anthropic.messages.create({ ...hello, stop_sequences: ['never', 'END'] }),
    await anthropic.messages.stream({ ...hello, stop_sequences: ['never', 'END'] }).finalMessage(),
  ])
    assert.deepEqual([message.stop_reason, message.stop_sequence], ['stop_sequence', 'END']);
});

test('tokens are counted as the prompt has them, also where it is too long', async () => {
  const { anthropic, model } = client('x');
  assert.deepEqual(await anthropic.messages.countTokens({ model: 'any', messages: hello.messages }), {
    input_tokens: 20,
  });
  const messages = [{ role: 'user' as const, content: 'x'.repeat(1000) }];
  assert.equal((await anthropic.messages.countTokens({ model: 'any', messages })).input_tokens, 1018);
  assert.equal(model.requests.length, 0);
});

test('structured output and thinking are passed on', async () => {
  const { anthropic, model, services } = client('{}');
  const schema = { type: 'object' };
  await anthropic.messages.create({ ...hello, output_config: { format: { type: 'json_schema', schema } } });
  const { constraint } = model.requests[0]!;
  assert.match(JSON.stringify(constraint), /json_schema/);
  const kwargs = JSON.parse(
    (services.sandbox as unknown as { calls: { prompt: string }[] }).calls[0]!.prompt,
  ).chat_template_kwargs;
  assert.deepEqual(kwargs, { enable_thinking: false, thinking: false });
});

test('the key may be in x-api-key', async () => {
  const { key, hash } = createKey('acme');
  const authenticate = keyAuthentication([{ id: 'acme', keys: [hash], ...tenantDefaults }]);
  const { app } = client('x', { authenticate, localOnly: false });
  const ask = (headers: Record<string, string>) => app.fetch(post('/v1/messages', hello, { headers }));
  assert.equal((await ask({ 'x-api-key': key })).status, 200);
  assert.equal((await ask({ authorization: `Bearer ${key}` })).status, 200);
  const refused = await ask({ 'x-api-key': 'wrong' });
  assert.deepEqual([refused.status, (await refused.json()).error.type], [401, 'authentication_error']);
});

test("errors have Anthropic's shape, and its names of fields", async () => {
  const { app, anthropic } = client('x');
  const image = { type: 'image', source: { type: 'base64', media_type: 'image/png', data: '' } };
  const wrong: [object, RegExp, string][] = [
    [{ messages: [] }, /messages: must have at least 1/, 'messages'],
    [{ messages: [{ role: 'user', content: [image] }] }, /"image" is not supported/, 'messages[0].content[0].type'],
    [{ messages: [{ role: 'tool', content: 'x' }] }, /must be "user" or "assistant" or "system"/, 'messages[0].role'],
    [{ messages: [{ role: 'user', content: 3 }] }, /must be a string or a list of blocks/, 'messages[0].content'],
    [{ tool_choice: { type: 'maybe' } }, /^tool_choice\.type: must be "auto" or "any"/, 'tool_choice.type'],
    [{ temperature: 3 }, /temperature: must be a number from 0 to 2/, 'temperature'],
    [{ stop_sequences: [''] }, /^stop_sequences/, 'stop_sequences[0]'],
    [{ tools: [{ name: 'no space', input_schema: {} }] }, /^tools\[0\]\.name/, 'tools[0].name'],
    [
      { tools: [{ type: 'web_search_20250305', name: 'web_search' }] },
      /^tools\[0\]\.type: is not supp/,
      'tools[0].type',
    ],
    [
      { tools, tool_choice: { type: 'tool', name: 'x' } },
      /^tool_choice\.name: there is no tool "x"/,
      'tool_choice.name',
    ],
  ];
  for (const [fields, words, param] of wrong) {
    const response = await app.fetch(post('/v1/messages', { ...hello, ...fields }));
    const { type, error, request_id } = await response.json();
    assert.deepEqual([response.status, type, error.type], [400, 'error', 'invalid_request_error'], error.message);
    assert.match(error.message, words);
    assert.equal(error.param, param);
    assert.match(request_id, /^req_/);
  }
  await assert.rejects(anthropic.messages.create({ ...hello, max_tokens: 1.5 }), Anthropic.BadRequestError);
});

test('a failure in the middle of a stream is an event', async () => {
  const server = scripted({ answer: () => 'abc', failAfter: { tokens: 2, error: new Error('secret') } });
  const text = await (await server.app.fetch(post('/v1/messages', { ...hello, stream: true }))).text();
  const last = text.trimEnd().split('\n\n').at(-1)!;
  assert.match(last, /^event: error\ndata: \{"type":"error","error":\{"type":"api_error"/);
  assert.doesNotMatch(last, /secret/);
});

test("models, in Anthropic's shape for its clients", async () => {
  const { anthropic, app } = client('x');
  const [model] = (await anthropic.models.list()).data;
  assert.deepEqual([model!.id, model!.type, model!.created_at], ['scripted', 'model', '2023-11-14T22:13:20.000Z']);
  assert.equal((await anthropic.models.retrieve('scripted')).display_name, 'scripted');
  const { object } = await (await app.fetch(new Request('http://localhost/v1/models'))).json();
  assert.equal(object, 'list');
});

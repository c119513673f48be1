/** A model whose template knows no tools is told of a format, and answers in it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { injected } from '../../src/output-format/tool-prompt.ts';
import { post, ScriptedModel, scripted } from './scripted.ts';

const tools = [{ type: 'function', function: { name: 'time', parameters: { type: 'object', properties: {} } } }];

test('tools go into the system prompt, calls into the text, results to the user', async () => {
  const answer = () => '<tool_call>\n{"name": "time", "arguments": {}}\n</tool_call>';
  const model = new ScriptedModel('scripted', { answer, context: 100_000 });
  Object.assign(model, { toolFormat: 'hermes', format: { tools: injected.hermes!.format } });
  const { app } = scripted({ answer }, { models: [model] });
  const call = { id: 'a', type: 'function', function: { name: 'time', arguments: '{"zone": "UTC"}' } };
  const messages = [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'What time is it?' },
    { role: 'assistant', content: null, tool_calls: [call] },
    { role: 'tool', tool_call_id: 'a', content: 'noon' },
  ];
  const response = await app.fetch(post('/v1/chat/completions', { messages, tools }));
  const { choices } = await response.json();
  assert.equal(choices[0].message.tool_calls[0].function.name, 'time');
  const prompt = model.tokenizer.decode(model.requests[0]!.prompt);
  assert.ok(prompt.startsWith('[system]Be brief.\n\n# Tools'));
  assert.ok(prompt.includes(JSON.stringify(tools[0])));
  const turns = prompt.slice(prompt.indexOf('[user]'));
  const written = '<tool_call>\n{"name": "time", "arguments": {"zone":"UTC"}}\n</tool_call>';
  const expected = `[user]What time is it?[assistant]${written}[user]<tool_response>\nnoon\n</tool_response>[assistant]`;
  assert.equal(turns, expected);
});

test('without a system prompt the tools are one, without tools there is none', async () => {
  const model = new ScriptedModel('scripted', { answer: () => 'Hm.', context: 100_000 });
  Object.assign(model, { toolFormat: 'hermes', format: { tools: injected.hermes!.format } });
  const { app } = scripted({ answer: () => '' }, { models: [model] });
  const messages = [{ role: 'user', content: 'Hi' }];
  const prompts = [];
  for (const body of [{ messages, tools }, { messages }]) {
    assert.equal((await app.fetch(post('/v1/chat/completions', body))).status, 200);
    prompts.push(model.tokenizer.decode(model.requests.at(-1)!.prompt));
  }
  assert.match(String(prompts[0]), /^\[system\]# Tools/);
  assert.equal(prompts[1], '[user]Hi[assistant]');
});

test('a request names the format for itself', async () => {
  const answer = () => '<tool_call>\n{"name": "time", "arguments": {}}\n</tool_call>';
  const model = new ScriptedModel('scripted', { answer, context: 100_000 });
  const { app } = scripted({ answer }, { models: [model] });
  const messages = [{ role: 'user', content: 'What time is it?' }];
  const body = { messages, tools, tool_format: 'hermes' };
  const { choices } = await (await app.fetch(post('/v1/chat/completions', body))).json();
  assert.equal(choices[0].message.tool_calls[0].function.name, 'time');
  assert.match(model.tokenizer.decode(model.requests[0]!.prompt), /^\[system\]# Tools/);
  const unknown = await app.fetch(post('/v1/chat/completions', { ...body, tool_format: 'other' }));
  assert.equal(unknown.status, 400);
  assert.equal((await unknown.json()).error.param, 'tool_format');
});

test('a call in a Markdown fence is a call, also in a stream', async () => {
  const answer = () => 'So:\n```json\n{"name": "time", "arguments": {}}\n```';
  const model = new ScriptedModel('scripted', { answer, context: 100_000 });
  const { app } = scripted({ answer }, { models: [model] });
  const body = { messages: [{ role: 'user', content: 'Hi' }], tools, tool_format: 'hermes' };
  const { choices } = await (await app.fetch(post('/v1/chat/completions', body))).json();
  assert.equal(choices[0].message.content, 'So:');
  assert.equal(choices[0].message.tool_calls[0].function.name, 'time');
  const streamed = await (await app.fetch(post('/v1/chat/completions', { ...body, stream: true }))).text();
  assert.match(streamed, /"name":"time"/);
  assert.doesNotMatch(streamed, /```/);
});

test('other APIs refuse the field by its name', async () => {
  const { app } = scripted({ answer: () => 'Hm.' });
  for (const [path, body] of Object.entries({
    '/v1/completions': { prompt: 'Hi' },
    '/v1/responses': { input: 'Hi' },
    '/v1/messages': { messages: [{ role: 'user', content: 'Hi' }], max_tokens: 5 },
  })) {
    const response = await app.fetch(post(path, { ...body, tool_format: 'hermes' }));
    assert.equal(response.status, 400, path);
    assert.match(await response.text(), /tool_format/, path);
  }
});

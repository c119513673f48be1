/** Tools, thoughts and structured output through the Responses API, and OpenAI's own client for it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI from 'openai';
import { zodTextFormat } from 'openai/helpers/zod';
import { z } from 'zod';
import type { GenerateRequest } from '../../src/engine/request.ts';
import { namedFrames } from './named-frames.ts';
import { checkEvent, checkResponse } from './open-responses.ts';
import { post, scripted } from './scripted.ts';
import { callText, ToolModel } from './tool-model.ts';

const weather = {
  type: 'function' as const,
  name: 'get_weather',
  description: 'Get the weather',
  parameters: { type: 'object', properties: { location: { type: 'string' } }, required: ['location'] },
  strict: true,
};

function serve(answer: (request: GenerateRequest, model: ToolModel) => string) {
  const model: ToolModel = new ToolModel('scripted', { answer: request => answer(request, model), context: 100_000 });
  const { app } = scripted({ answer: () => '' }, { models: [model] });
  const ask = (body: object) => app.fetch(post('/v1/responses', { input: 'Hi', ...body }));
  const chat = () => JSON.parse(model.tokenizer.decode(model.requests.at(-1)!.prompt));
  const client = new OpenAI({
    baseURL: 'http://localhost/v1',
    apiKey: 'none',
    maxRetries: 0,
    fetch: async (url, init) => app.fetch(new Request(url as string, init)),
  });
  return { app, model, ask, chat, client };
}

test('a call is an item, which the next request answers', async () => {
  const { ask, chat, model } = serve(({ prompt }) =>
    prompt.length > 600 ? 'Sunny.' : `One moment.${callText('get_weather', { location: 'Paris' })}`,
  );
  const tools = [weather, { type: 'web_search' }, { type: 'namespace', name: 'x', tools: [] }, { type: 'custom' }];
  const first = await (await ask({ tools })).json();
  checkResponse(first);
  assert.deepEqual(
    first.output.map(({ type }: { type: string }) => type),
    ['message', 'function_call'],
  );
  assert.deepEqual(first.tools, [weather]);
  assert.equal(model.requests[0]!.constraint?.kind, 'answer');
  const call = first.output[1];
  assert.equal(call.name, 'get_weather');
  assert.deepEqual(JSON.parse(call.arguments), { location: 'Paris' });
  const input = [{ type: 'function_call_output', call_id: call.call_id, output: '{"sun":true}' }];
  const second = await (await ask({ tools: [weather], previous_response_id: first.id, input })).json();
  assert.equal(second.status, 'completed', JSON.stringify(second));
  const [, assistant, tool] = chat().messages;
  assert.equal(assistant.content, 'One moment.');
  assert.deepEqual(assistant.tool_calls[0].function.arguments, { location: 'Paris' });
  assert.deepEqual([tool.role, tool.tool_call_id, tool.content], ['tool', call.call_id, '{"sun":true}']);
});

test('thoughts and calls are streamed with their own events', async () => {
  const { ask } = serve(() => `<think>Hm.</think>${callText('get_weather', { location: 'Rome' })}`);
  const include = ['reasoning.encrypted_content'];
  const events = await namedFrames(await ask({ tools: [weather], stream: true, store: false, include }));
  for (const event of events) checkEvent(event);
  const joined = (type: string) =>
    events
      .filter(event => event.type === type)
      .map(({ delta }) => delta)
      .join('');
  assert.equal(joined('response.reasoning_text.delta'), 'Hm.');
  assert.equal(joined('response.function_call_arguments.delta'), '{"location":"Rome"}');
  const { output } = events.at(-1)!.response;
  assert.deepEqual(
    output.map(({ type }: { type: string }) => type),
    ['reasoning', 'function_call'],
  );
  assert.ok(output[0].encrypted_content);
});

test('thoughts that are sent back reach the template', async () => {
  const { ask, chat } = serve(() => '<think>Hm.</think>Yes.');
  const first = await (await ask({ store: false, include: ['reasoning.encrypted_content'] })).json();
  const [reasoning, message] = first.output;
  const sent = { type: 'reasoning', id: reasoning.id, summary: [], encrypted_content: reasoning.encrypted_content };
  await ask({ input: [{ role: 'user', content: 'Hi' }, sent, message, { role: 'user', content: '?' }] });
  const { content, reasoning_content } = chat().messages[1];
  assert.deepEqual([content, reasoning_content], ['Yes.', 'Hm.']);
});

test('a text format is a constraint', async () => {
  const { ask, model } = serve(() => '{}');
  const schema = { type: 'object', properties: {}, additionalProperties: false };
  const format = { type: 'json_schema', name: 'n', schema, strict: true };
  const body = await (await ask({ text: { format } })).json();
  checkResponse(body);
  assert.deepEqual(body.text.format, { ...format, description: null });
  const text = JSON.stringify(model.requests[0]!.constraint);
  assert.ok(text.includes('json_schema') && text.includes('additionalProperties'));
  await ask({ text: { format: { type: 'json_object' } } });
  assert.ok(JSON.stringify(model.requests[1]!.constraint).includes('json_object'));
});

test('OpenAI’s client: create, stream, parse, retrieve, delete, input items', async () => {
  const { client } = serve(({ prompt }, { tokenizer }) =>
    tokenizer.decode(prompt).includes('json') ? '{"city":"Paris"}' : 'Paris',
  );
  const first = await client.responses.create({ model: 'm', input: 'Hi' });
  assert.equal(first.output_text, 'Paris');
  const stream = client.responses.stream({ model: 'm', input: 'Hi', previous_response_id: first.id });
  const texts: string[] = [];
  stream.on('response.output_text.delta', ({ delta }) => texts.push(delta));
  const final = await stream.finalResponse();
  assert.equal(texts.join(''), 'Paris');
  assert.equal(final.output_text, 'Paris');
  const parsed = await client.responses.parse({
    model: 'm',
    input: 'json',
    text: { format: zodTextFormat(z.object({ city: z.string() }), 'place') },
  });
  assert.deepEqual(parsed.output_parsed, { city: 'Paris' });
  assert.equal((await client.responses.retrieve(first.id)).id, first.id);
  const items = await client.responses.inputItems.list(first.id);
  assert.equal(items.data.length, 1);
  await client.responses.delete(first.id);
  await assert.rejects(client.responses.retrieve(first.id), { status: 404 });
  const compacted = await client.responses.compact({ model: 'm', input: 'Hi' });
  assert.equal(compacted.output[0]!.type, 'compaction');
});

test('OpenAI’s client streams calls', async () => {
  const { client } = serve(() => callText('get_weather', { location: 'Rome' }));
  const stream = client.responses.stream({ model: 'm', input: 'Hi', tools: [weather] });
  const final = await stream.finalResponse();
  const [call] = final.output;
  assert.ok(call?.type === 'function_call');
  assert.equal(call.arguments, '{"location":"Rome"}');
});

test('an unknown tool is refused in this API’s words', async () => {
  const { ask } = serve(() => '');
  const response = await ask({ tools: [weather], tool_choice: { type: 'function', name: 'other' } });
  assert.equal(response.status, 400);
  assert.equal((await response.json()).error.param, 'tool_choice.name');
});

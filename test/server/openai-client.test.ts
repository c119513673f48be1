/** OpenAI's own client against the whole server: what it makes of calls, of forms and of streams. A scripted model answers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI from 'openai';
import { zodResponseFormat } from 'openai/helpers/zod';
import type { ChatCompletionMessageParam, ChatCompletionTool } from 'openai/resources/chat/completions';
import { z } from 'zod';
import type { GenerateRequest } from '../../src/engine/request.ts';
import { type ScriptedModel, scripted } from './scripted.ts';
import { callText, ToolModel } from './tool-model.ts';

const weather: ChatCompletionTool = {
  type: 'function',
  function: {
    name: 'weather',
    description: 'The weather of a city',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
};
const messages: ChatCompletionMessageParam[] = [{ role: 'user', content: 'How is the weather in Paris?' }];
const model = 'scripted';

function connect(answer: (request: GenerateRequest) => string, Model: typeof ScriptedModel = ToolModel) {
  const its = new Model('scripted', { answer, context: 100_000 });
  const { app } = scripted({ answer }, { models: [its] });
  const fetch = async (url: string | URL | Request, init?: RequestInit) => app.fetch(new Request(url, init));
  return { client: new OpenAI({ baseURL: 'http://localhost/v1', apiKey: 'none', fetch, maxRetries: 0 }), its };
}

/** Calls, and says what came of it in the next turn. */
const callsOnce = ({ prompt }: GenerateRequest) => {
  const { messages } = JSON.parse(String.fromCodePoint(...prompt.slice(1)));
  const last = messages.at(-1);
  return last.role === 'tool' ? `It is ${last.content}.` : callText('weather', { city: 'Paris' });
};

test('tools are called and answered by hand', async () => {
  const { client } = connect(callsOnce);
  const first = await client.chat.completions.create({ model, messages, tools: [weather] });
  const [choice] = first.choices;
  const [call] = choice?.message.tool_calls ?? [];
  assert.ok(call?.type === 'function');
  assert.equal(choice?.finish_reason, 'tool_calls');
  assert.deepEqual(JSON.parse(call.function.arguments), { city: 'Paris' });
  const history = [...messages, choice.message, { role: 'tool', tool_call_id: call.id, content: 'sunny' } as const];
  const second = await client.chat.completions.create({ model, messages: history, tools: [weather] });
  assert.equal(second.choices[0]?.message.content, 'It is sunny.');
});

test('the helper for streams puts calls together', async () => {
  const { client } = connect(callsOnce);
  const stream = client.chat.completions.stream({ model, messages, tools: [weather] });
  const done = await stream.finalChatCompletion();
  const [call] = done.choices[0]?.message.tool_calls ?? [];
  assert.ok(call?.type === 'function');
  assert.equal(call.function.name, 'weather');
  assert.deepEqual(JSON.parse(call.function.arguments), { city: 'Paris' });
  assert.equal(done.choices[0]?.finish_reason, 'tool_calls');
});

test('runTools goes to the end, streamed and whole', async () => {
  const asked: unknown[] = [];
  const tool = {
    type: 'function',
    function: {
      ...weather.function,
      parse: JSON.parse,
      function: (given: unknown) => {
        asked.push(given);
        return 'sunny';
      },
    },
  } as const;
  for (const stream of [false, true]) {
    const { client } = connect(callsOnce);
    const body = { model, messages, tools: [tool] };
    const runner = stream
      ? client.chat.completions.runTools({ ...body, stream: true } as never)
      : client.chat.completions.runTools(body as never);
    assert.equal(await (runner as { finalContent(): Promise<string | null> }).finalContent(), 'It is sunny.');
  }
  assert.deepEqual(asked, [{ city: 'Paris' }, { city: 'Paris' }]);
});

test('parse with zod asks for the schema and reads the answer', async () => {
  const City = z.object({ name: z.string(), people: z.number() });
  const { client, its } = connect(() => '{"name":"Paris","people":2100000}');
  const format = zodResponseFormat(City, 'city');
  const { choices } = await client.chat.completions.parse({ model, messages, response_format: format });
  assert.deepEqual(choices[0]?.message.parsed, { name: 'Paris', people: 2_100_000 });
  const { constraint } = its.requests[0] ?? {};
  const content = constraint?.kind === 'answer' ? constraint.content : constraint;
  assert.ok(content?.kind === 'json_schema');
  assert.deepEqual(Object.keys(JSON.parse(content.schema).properties), ['name', 'people']);
});

test('thoughts come beside the answer', async () => {
  const { client } = connect(() => '<think>\nParis is far.\n</think>\n\nSunny.');
  const { choices } = await client.chat.completions.create({ model, messages, reasoning_effort: 'high' });
  const message = choices[0]?.message as unknown as Record<string, string>;
  assert.deepEqual([message.reasoning_content?.trim(), message.content], ['Paris is far.', 'Sunny.']);
});

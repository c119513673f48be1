/** OpenAI's client for Node: chats, and the Responses API. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { zodResponseFormat, zodTextFormat } from 'openai/helpers/zod';
import type { ChatCompletionMessageParam } from 'openai/resources/chat/completions';
import type { FunctionTool, ResponseInputItem } from 'openai/resources/responses/responses';
import { z } from 'zod';
import { client, earlier, earlierMessages, question, result, type Served, said, weatherSchema } from './server.ts';

const City = z.object({ name: z.string(), country: z.string().max(30) });
const describeParis = 'Describe Paris as JSON: its name and country.';
const paris = { name: 'Paris', country: 'France' };
const weather = { name: 'weather', description: 'The weather of a city', parameters: weatherSchema };
const other = { name: 'time', description: 'The time in a city', parameters: weatherSchema };
const settings = { model: 'qwen', temperature: 0 };

export function openai(served: Served): void {
  const chat = () => client(served.url).chat.completions;
  const responses = () => client(served.url).responses;
  const tools = [weather, other].map(each => ({ type: 'function' as const, function: each }));
  const messages: ChatCompletionMessageParam[] = [...earlierMessages, { role: 'user', content: question }];

  it('parses what a zod schema asks for', async () => {
    const asked = [{ role: 'user' as const, content: describeParis }];
    const format = { response_format: zodResponseFormat(City, 'city') };
    const { choices } = await chat().parse({ ...settings, max_tokens: 60, messages: asked, ...format });
    assert.deepEqual(choices[0]?.message.parsed, paris);
  });

  it('runTools: a call, its result, an answer', async () => {
    const given: unknown[] = [];
    const run = (asked: { city: string }) => {
      given.push(asked);
      return result;
    };
    const tool = { type: 'function', function: { ...weather, parse: JSON.parse, function: run } } as const;
    const body = { ...settings, max_tokens: 60, messages, tools: [tool] };
    const runner = chat().runTools(body as never) as { finalContent(): Promise<string | null> };
    assert.match((await runner.finalContent()) ?? '', said);
    assert.deepEqual(given, [{ city: 'Paris' }]);
  });

  for (const tool_choice of ['required', { type: 'function', function: { name: 'time' } }] as const) {
    const name = typeof tool_choice === 'string' ? 'weather' : 'time';
    it(`calls what it must: ${name}`, async () => {
      const body = { ...settings, max_tokens: 60, messages, tools, tool_choice, parallel_tool_calls: false };
      const { choices } = await chat().stream(body).finalChatCompletion();
      const [call] = choices[0]?.message.tool_calls ?? [];
      assert.ok(call?.type === 'function');
      assert.deepEqual([call.function.name, JSON.parse(call.function.arguments)], [name, { city: 'Paris' }]);
    });
  }

  it('calls nothing where it may not', async () => {
    const { choices } = await chat().create({ ...settings, max_tokens: 20, messages, tools, tool_choice: 'none' });
    assert.equal(choices[0]?.message.tool_calls, undefined);
    assert.ok(choices[0]?.message.content);
  });

  it('makes several calls', async () => {
    const content = 'What is the weather in Paris, and what is the weather in Rome? Call the tool for each.';
    const asked = [{ role: 'user' as const, content }];
    const body = { ...settings, max_tokens: 120, messages: asked, tools: tools.slice(0, 1) };
    const { choices } = await chat().create({ ...body, tool_choice: 'required' });
    const calls = choices[0]?.message.tool_calls ?? [];
    const cities = calls.map(call => call.type === 'function' && JSON.parse(call.function.arguments).city);
    assert.deepEqual(cities, ['Paris', 'Rome']);
    assert.equal(new Set(calls.map(({ id }) => id)).size, 2);
  });

  it('Responses: a call, its result, an answer', async () => {
    const tool: FunctionTool = { type: 'function', ...weather, strict: false };
    const body = { ...settings, max_output_tokens: 60, tools: [tool] };
    const { call: called } = earlier;
    const asked: ResponseInputItem[] = [
      { role: 'user', content: earlier.question },
      { type: 'function_call', call_id: called.id, name: called.name, arguments: JSON.stringify(called.arguments) },
      { type: 'function_call_output', call_id: called.id, output: earlier.result },
      { role: 'assistant', content: earlier.answer },
      { role: 'user', content: question },
    ];
    const first = await responses().create({ ...body, input: asked, tool_choice: 'required' });
    const [call] = first.output;
    assert.ok(call?.type === 'function_call');
    assert.deepEqual(JSON.parse(call.arguments), { city: 'Paris' });
    const input: ResponseInputItem[] = [{ type: 'function_call_output', call_id: call.call_id, output: result }];
    const last = await responses()
      .stream({ ...body, input, previous_response_id: first.id })
      .finalResponse();
    assert.match(last.output_text, said);
  });

  it('Responses: parses what a zod schema asks for', async () => {
    const text = { format: zodTextFormat(City, 'city') };
    const { output_parsed } = await responses().parse({
      ...settings,
      max_output_tokens: 60,
      input: describeParis,
      text,
    });
    assert.deepEqual(output_parsed, paris);
  });
}

/** Calls of tools through the whole server: a scripted model writes them, clients get them in OpenAI's shape. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultConfig } from '../../src/tenancy/config.ts';
import { frames, type ProgramBody, passThrough, post, sandboxOf, scripted } from './scripted.ts';
import { callText, toolFormat as format, ToolModel } from './tool-model.ts';

const weather = {
  type: 'function',
  function: { name: 'weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } },
};
const time = { type: 'function', function: { name: 'time' } };
const limits = { ...defaultConfig().limits, bodyBytes: 1_000_000 };

function serve(answer: string, program: ProgramBody = passThrough) {
  const model = new ToolModel('scripted', { answer: () => answer, context: 100_000 });
  const { app } = scripted({ answer: () => '' }, { models: [model], sandbox: sandboxOf(program), limits });
  const messages = [{ role: 'user', content: 'Hi' }];
  const ask = (body: object) => app.fetch(post('/v1/chat/completions', { messages, ...body }));
  const prompt = () => JSON.parse(model.tokenizer.decode(model.requests.at(-1)!.prompt));
  return { model, ask, prompt, last: () => model.requests.at(-1)! };
}

test('a call comes as a call, with the reason for the end', async () => {
  const { ask, last, prompt } = serve(`One moment.\n${callText('weather', { city: 'Paris' })}`);
  const { choices } = await (await ask({ tools: [weather, time] })).json();
  const { id, ...rest } = choices[0].message.tool_calls[0];
  assert.match(id, /^call_[0-9a-f]{24}$/);
  assert.deepEqual(rest, { type: 'function', function: { name: 'weather', arguments: '{"city":"Paris"}' } });
  assert.deepEqual([choices[0].message.content, choices[0].finish_reason], ['One moment.', 'tool_calls']);
  const { constraint, markers } = last();
  assert.ok(markers);
  assert.deepEqual(constraint, {
    kind: 'answer',
    reasoning: { ...format.reasoning, begun: false },
    text: undefined,
    tools: {
      format: format.tools,
      declared: [
        { name: 'weather', parameters: JSON.stringify(weather.function.parameters) },
        { name: 'time', parameters: '{"type":"object","properties":{}}' },
      ],
      choice: 'auto',
      parallel: true,
    },
    content: undefined,
  });
  assert.deepEqual(
    prompt().tools.map((tool: typeof weather) => tool.function.name),
    ['weather', 'time'],
  );
});

test('a stream has thoughts, text and calls in their order', async () => {
  const calls = `${callText('weather', { city: 'Paris' })}\n${callText('time', {})}`;
  const { ask } = serve(`<think>Hm.</think>\nSo:\n${calls}`);
  const all = await frames(await ask({ tools: [weather, time], stream: true }));
  assert.equal(all.pop(), '[DONE]');
  const deltas = all.map(chunk => chunk.choices[0].delta);
  const joined = (pick: (delta: Record<string, string>) => string | undefined) =>
    deltas.map(d => pick(d) ?? '').join('');
  assert.equal(
    joined(delta => delta.reasoning_content),
    'Hm.',
  );
  assert.equal(
    joined(delta => delta.content),
    'So:',
  );
  const parts = deltas.flatMap(delta => delta.tool_calls ?? []);
  const begins = parts.filter(part => part.id !== undefined);
  assert.deepEqual(
    begins.map(({ index, type, function: { name, arguments: given } }) => [index, type, name, given]),
    [
      [0, 'function', 'weather', ''],
      [1, 'function', 'time', ''],
    ],
  );
  const args = (index: number) =>
    parts
      .filter(part => part.index === index)
      .map(part => part.function.arguments)
      .join('');
  assert.deepEqual([args(0), args(1)], ['{"city":"Paris"}', '{}']);
  assert.equal(all.at(-1).choices[0].finish_reason, 'tool_calls');
});

test('a call without text has no content, and a text without calls is as it was', async () => {
  const only = await (await serve(callText('time', {})).ask({ tools: [time] })).json();
  assert.equal(only.choices[0].message.content, null);
  const text = await (await serve('Sunny.').ask({ tools: [weather] })).json();
  assert.deepEqual(text.choices[0].message, { role: 'assistant', content: 'Sunny.', refusal: null });
  assert.equal(text.choices[0].finish_reason, 'stop');
});

test('the choice of tools reaches the engine', async () => {
  const { ask, last, prompt } = serve(callText('time', {}));
  const used = async (body: object) => {
    const response = await ask({ tools: [weather, time], ...body });
    assert.equal(response.status, 200);
    const { constraint } = last();
    const tools = constraint?.kind === 'answer' ? constraint.tools : undefined;
    return tools && [tools.choice, tools.parallel, tools.declared.map(({ name }) => name).join()];
  };
  const named = { type: 'function', function: { name: 'time' } };
  assert.deepEqual(await used({ tool_choice: 'required' }), ['required', true, 'weather,time']);
  assert.deepEqual(await used({ parallel_tool_calls: false }), ['auto', false, 'weather,time']);
  assert.deepEqual(await used({ tool_choice: named }), ['required', false, 'time']);
  const allowed = { type: 'allowed_tools', allowed_tools: { mode: 'auto', tools: [named] } };
  assert.deepEqual(await used({ tool_choice: allowed }), ['auto', true, 'time']);
  assert.equal(await used({ tool_choice: 'none' }), undefined);
  assert.equal(prompt().tools, undefined);
});

test('a history has its calls as the template wants them, whatever they are', async () => {
  const { ask, prompt } = serve('Sunny.');
  const calls = ['{"city":"Paris"}', '{"city"', ''].map((given, i) => {
    return { id: `c${i}`, type: 'function', function: { name: 'no such tool', arguments: given } };
  });
  const messages = [
    { role: 'user', content: 'Hi' },
    { role: 'assistant', content: null, reasoning_content: 'Hm.', tool_calls: calls },
    { role: 'tool', tool_call_id: 'c0', content: [{ type: 'text', text: '20 degrees' }] },
  ];
  assert.equal((await ask({ messages, tools: [weather] })).status, 200);
  const [, assistant, tool] = prompt().messages;
  assert.deepEqual(
    assistant.tool_calls.map((each: { function: { arguments: unknown } }) => each.function.arguments),
    [{ city: 'Paris' }, '{"city"', {}],
  );
  assert.deepEqual([assistant.content, assistant.reasoning_content], ['', 'Hm.']);
  assert.deepEqual(tool, { role: 'tool', content: '20 degrees', tool_call_id: 'c0' });
});

test('who only called a tool need not say that there was no content', async () => {
  const { ask, prompt } = serve('Sunny.');
  const call = { id: 'c', type: 'function', function: { name: 'weather', arguments: '{}' } };
  const messages = [
    { role: 'user', content: 'Hi' },
    { role: 'assistant', tool_calls: [call] },
    { role: 'tool', tool_call_id: 'c', content: '20 degrees' },
  ];
  const response = await ask({ messages, tools: [weather] });
  assert.equal(response.status, 200, await response.text());
  assert.equal(prompt().messages[1].content, '');
});

test('a model without a format for calls refuses tools', async () => {
  const { app } = scripted({ answer: () => 'x' });
  const response = await app.fetch(
    post('/v1/chat/completions', { messages: [{ role: 'user', content: 'Hi' }], tools: [time] }),
  );
  const { error } = await response.json();
  assert.deepEqual([response.status, error.code, error.param], [400, 'tools_unsupported', 'tools']);
  assert.match(error.message, /tool_format/);
});

test('tools that are wrong are refused by name', async () => {
  const { ask } = serve('x');
  const unknown = { type: 'function', function: { name: 'no' } };
  const wrong: [object, string][] = [
    [{ tools: [time, weather, time] }, 'tools[2].function.name: two tools are named time'],
    [{ tools: [{ ...time, type: 'custom' }] }, 'tools[0].type: must be "function"'],
    [{ tools: [{ type: 'function', function: { name: 'a b' } }] }, 'tools[0].function.name: must be a name'],
    [
      { tools: [{ type: 'function', function: { name: 'a', parameters: 1 } }] },
      'tools[0].function.parameters: must be a JSON',
    ],
    [{ tools: [time], tool_choice: unknown }, 'tool_choice.function.name: there is no tool "no"'],
    [{ tool_choice: unknown }, 'tool_choice: needs tools'],
    [{ tools: [time], tool_choice: 'perhaps' }, 'tool_choice: must be "none", "auto", "required", or name a function'],
  ];
  for (const [body, message] of wrong) {
    const response = await ask(body);
    const { error } = await response.json();
    assert.deepEqual([response.status, error.code], [400, 'invalid_request'], message);
    assert.ok(error.message.startsWith(message), error.message);
    assert.equal(error.param, message.slice(0, message.indexOf(':')));
  }
});

test("a call reaches the client through the tenant's program, which sees the tools", async () => {
  const seen: string[] = [];
  const { ask } = serve(callText('time', {}), async function* (given) {
    seen.push(given.prompt);
    yield 'Note: ';
    yield* passThrough(given);
  });
  const { choices } = await (await ask({ tools: [time] })).json();
  assert.equal(choices[0].message.content, 'Note:');
  assert.equal(choices[0].message.tool_calls[0].function.name, 'time');
  assert.equal(JSON.parse(seen[0]!).tools[0].function.name, 'time');
});

test('a thousand tools work', async () => {
  const { model, ask } = serve(callText('tool999', {}));
  const tools = Array.from({ length: 1000 }, (_, i) => ({ ...time, function: { name: `tool${i}` } }));
  const { choices } = await (await ask({ tools })).json();
  assert.equal(choices[0].message.tool_calls[0].function.name, 'tool999');
  const { constraint } = model.requests[0] ?? {};
  assert.equal(constraint?.kind === 'answer' && constraint.tools?.declared.length, 1000);
});

test('thoughts that the prompt begins are thoughts', async () => {
  const { model, ask } = serve('Hm.</think>Yes.');
  const { render } = model.template;
  Object.assign(model, {
    template: { ...model.template, render: (...all: Parameters<typeof render>) => `${render(...all)}<think>\n` },
  });
  const { choices } = await (await ask({ response_format: { type: 'json_object' } })).json();
  assert.deepEqual([choices[0].message.reasoning_content, choices[0].message.content], ['Hm.', 'Yes.']);
  const { constraint } = model.requests[0] ?? {};
  assert.ok(constraint?.kind === 'answer' && constraint.reasoning?.begun);
  assert.deepEqual(constraint.content, { kind: 'json_object' });
});

test('templates hear of the effort', async () => {
  const { ask, prompt } = serve('x');
  await ask({ reasoning_effort: 'none', chat_template_kwargs: { thinking: 1 } });
  assert.deepEqual(prompt().variables, { reasoning_effort: 'none', enable_thinking: false, thinking: 1 });
  await ask({});
  assert.equal(prompt().variables, undefined);
});

test('log-probabilities are those of all tokens, of calls too', async () => {
  const text = `<think>Hm.</think>\nSo: ${callText('time', {})}`;
  const { ask } = serve(text);
  const body = { tools: [time], logprobs: true };
  const { choices } = await (await ask(body)).json();
  const said = (list: { token: string }[]) => list.map(({ token }) => token).join('');
  assert.equal(said(choices[0].logprobs.content), text);
  const all = await frames(await ask({ ...body, stream: true }));
  const streamed = all.slice(0, -1).flatMap(chunk => chunk.choices[0].logprobs?.content ?? []);
  assert.equal(said(streamed), text);
});

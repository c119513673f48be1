/** Tokens of thoughts are counted apart, in every API that has a field for them. One token is a character here. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { frames, type ProgramBody, passThrough, post, sandboxOf, scripted } from './scripted.ts';
import { ToolModel } from './tool-model.ts';

const messages = [{ role: 'user', content: 'Hi' }];
const thought = '<think>Hm, well.</think>';

function serve(answer: string, program: ProgramBody = passThrough) {
  const model = new ToolModel('scripted', { answer: () => answer, context: 10_000 });
  const { app } = scripted({ answer: () => '' }, { models: [model], sandbox: sandboxOf(program) });
  const ask = (path: string, body: object) => app.fetch(post(path, body));
  return { model, ask };
}

async function ofChat(answer: string, program?: ProgramBody): Promise<[thoughts: number, all: number]> {
  const { usage } = await (await serve(answer, program).ask('/v1/chat/completions', { messages })).json();
  return [usage.completion_tokens_details.reasoning_tokens, usage.completion_tokens];
}

test('thoughts and their markers, and nothing behind them', async () => {
  assert.deepEqual(await ofChat(`${thought}\n\nYes.`), [thought.length, thought.length + 6]);
  assert.deepEqual(await ofChat('Yes.'), [0, 4]);
  assert.deepEqual(await ofChat('<thin'), [0, 5]);
  // Cut off in the middle.
  assert.deepEqual(await ofChat('<think>Hm'), [9, 9]);
});

test('thoughts that the prompt has begun', async () => {
  const { model, ask } = serve('Hm.</think>Yes.');
  const { render } = model.template;
  Object.assign(model, {
    template: { ...model.template, render: (...all: Parameters<typeof render>) => `${render(...all)}<think>\n` },
  });
  const { usage } = await (await ask('/v1/chat/completions', { messages })).json();
  assert.equal(usage.completion_tokens_details.reasoning_tokens, 'Hm.</think>'.length);
});

test('all answers to a prompt, whole and streamed', async () => {
  const { ask } = serve(`${thought}Yes.`);
  const body = { messages, n: 2 };
  const whole = await (await ask('/v1/chat/completions', body)).json();
  assert.equal(whole.usage.completion_tokens_details.reasoning_tokens, 2 * thought.length);
  const stream = { stream: true, stream_options: { include_usage: true } };
  const chunks = await frames(await ask('/v1/chat/completions', { ...body, ...stream }));
  assert.deepEqual(chunks.at(-2).usage, whole.usage);
});

test('Responses and Messages', async () => {
  const { ask } = serve(`${thought}Yes.`);
  const response = await (await ask('/v1/responses', { input: 'Hi' })).json();
  assert.deepEqual(response.usage.output_tokens_details, { reasoning_tokens: thought.length });
  const message = await (await ask('/v1/messages', { messages, max_tokens: 1000 })).json();
  assert.deepEqual(message.usage.output_tokens_details, { thinking_tokens: thought.length });
  const text = await (await ask('/v1/messages', { messages, max_tokens: 1000, stream: true })).text();
  assert.match(text, new RegExp(`"type":"message_delta".*"thinking_tokens":${thought.length}`));
});

test('a program that streams in pieces of its own changes no count', async () => {
  const whole: ProgramBody = async function* (call) {
    let text = '';
    for await (const piece of passThrough(call)) text += piece;
    yield text;
  };
  assert.deepEqual(await ofChat(`${thought}Yes.`, whole), [thought.length, thought.length + 4]);
});

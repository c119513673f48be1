/** The main job: the official client, a real server process, the real model, through the sandboxed default program. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type OpenAI from 'openai';
import { at, first, only } from '../support/entries.ts';
import { client, modelPath, type RunningServer, serve } from './server-process.ts';

let server: RunningServer;
let openai: OpenAI;
before(async () => {
  server = await serve('--model', await modelPath());
  openai = client(server.url);
});
after(async () => {
  await server?.process.stop();
});

/** The model answers these under this system prompt; a 135M model at 4 bits knows little else. */
const questions = [
  'What is the capital of France?',
  'Tell me the capital of France.',
  'Name the capital city of France.',
  'The capital of France is',
];

const textOf = ({ choices }: OpenAI.Chat.ChatCompletion): string => first(choices).message.content ?? '';

function ask(question: string) {
  return {
    model: 'smollm2-135m',
    messages: [
      { role: 'system', content: 'Answer the question.' },
      { role: 'user', content: question },
    ] satisfies OpenAI.Chat.ChatCompletionMessageParam[],
    temperature: 0,
    max_tokens: 40,
  };
}

async function tokensOf(path: string, body: object): Promise<number[]> {
  const response = await fetch(server.url + path, { method: 'POST', body: JSON.stringify(body) });
  return ((await response.json()) as { tokens: number[] }).tokens;
}

for (const question of questions) {
  test(`${question} Paris`, async () => {
    const request = ask(question);
    const answer = await openai.chat.completions.create(request);
    const choice = only(answer.choices);
    assert.match(choice.message.content ?? '', /Paris/);
    assert.equal(choice.finish_reason, 'stop');
    const rendered = await fetch(`${server.url}/apply-template`, { method: 'POST', body: JSON.stringify(request) });
    const { prompt } = (await rendered.json()) as { prompt: string };
    assert.match(prompt, /<\|im_start\|>system\nAnswer the question\.<\|im_end\|>/);
    const usage = answer.usage!;
    assert.equal(usage.prompt_tokens, (await tokensOf('/tokenize', { content: prompt })).length);
    assert.ok(usage.completion_tokens >= 3 && usage.completion_tokens <= 40);
    assert.equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens);
  });
}

test('streaming brings the same answer, a chunk a token', async () => {
  const request = ask(at(questions, 0));
  const whole = await openai.chat.completions.create(request);
  const stream = await openai.chat.completions.create({
    ...request,
    stream: true,
    stream_options: { include_usage: true },
  });
  const pieces: string[] = [];
  let finish: string | null = null;
  let usage: OpenAI.CompletionUsage | null | undefined;
  for await (const chunk of stream) {
    const [choice] = chunk.choices;
    if (choice?.delta.content) pieces.push(choice.delta.content);
    finish = choice?.finish_reason ?? finish;
    usage = chunk.usage ?? usage;
  }
  assert.equal(pieces.join(''), textOf(whole));
  assert.match(pieces.join(''), /Paris/);
  assert.equal(finish, 'stop');
  assert.equal(usage!.completion_tokens, whole.usage!.completion_tokens);
  assert.equal(pieces.length, (await tokensOf('/tokenize', { content: pieces.join('') })).length);
});

test('chunks arrive on their own, not in one piece', async () => {
  const body = JSON.stringify({ ...ask('Count from one to twenty.'), stream: true });
  const response = await fetch(`${server.url}/v1/chat/completions`, { method: 'POST', body });
  let reads = 0;
  let bytes = 0;
  for await (const part of response.body!) {
    reads++;
    bytes += part.length;
  }
  assert.ok(bytes > 2000, `${bytes} bytes`);
  assert.ok(reads >= 5, `${reads} reads`);
});

test('without a system prompt the default of the catalog is used', async () => {
  const { messages, ...rest } = ask(at(questions, 2));
  const answer = await openai.chat.completions.create({ ...rest, messages: messages.slice(1) });
  const explicit = await openai.chat.completions.create({ ...rest, messages });
  assert.equal(textOf(answer), textOf(explicit));
  assert.match(textOf(answer), /Paris/);
});

test('a plain completion, with log-probabilities', async () => {
  const answer = await openai.completions.create({
    model: 'smollm2-135m',
    prompt: 'The capital of France is',
    temperature: 0,
    max_tokens: 4,
    logprobs: 2,
  });
  const { logprobs, text } = only(answer.choices);
  const { tokens = [], token_logprobs = [], top_logprobs = [] } = logprobs ?? {};
  assert.equal(tokens.join(''), text);
  assert.equal(tokens.length, answer.usage?.completion_tokens);
  for (const [i, value] of token_logprobs.entries()) {
    assert.ok(value <= 0);
    // Greedy: the chosen token is the likeliest.
    assert.equal(Math.max(...Object.values(at(top_logprobs, i))), value);
  }
});

test('the same seed gives the same text, another one another', async () => {
  const sampled = async (seed: number) => {
    const request = { ...ask('Write a sentence about the sea.'), temperature: 1.2, seed };
    return textOf(await openai.chat.completions.create(request));
  };
  const [one, again, other] = [await sampled(11), await sampled(11), await sampled(12)];
  assert.equal(one, again);
  assert.notEqual(one, other);
});

test('a stop string ends the text and is no part of it', async () => {
  const answer = await openai.chat.completions.create({ ...ask(at(questions, 3)), stop: 'Paris' });
  assert.ok(!textOf(answer).includes('Paris'));
  assert.equal(first(answer.choices).finish_reason, 'stop');
});

test('requests at once get the answers that they get alone', async () => {
  const alone: string[] = [];
  for (const question of questions) alone.push(textOf(await openai.chat.completions.create(ask(question))));
  const together = await Promise.all(questions.map(question => openai.chat.completions.create(ask(question))));
  assert.deepEqual(together.map(textOf), alone);
});

test('n answers at once', async () => {
  const answer = await openai.chat.completions.create({ ...ask(at(questions, 2)), n: 2 });
  assert.deepEqual(
    answer.choices.map(choice => choice.index),
    [0, 1],
  );
  for (const choice of answer.choices) assert.match(choice.message.content ?? '', /Paris/);
});

test('cached_tokens tells the truth, also where a stop string ended the text', async () => {
  const passage = 'The river runs through the old town, past the mill and the market, down to the sea. '.repeat(8);
  const request = { ...ask(`${passage}\nWhat is this about?`), stop: ['the'] };
  const before = await openai.chat.completions.create(request);
  const again = await openai.chat.completions.create(request);
  const cached = (answer: OpenAI.Chat.ChatCompletion) => answer.usage!.prompt_tokens_details!.cached_tokens!;
  assert.ok(cached(before) < 64, `${cached(before)} tokens of a new prompt were cached`);
  // Whole pages of 32 tokens, and the last token is always computed.
  assert.equal(cached(again), Math.floor((again.usage!.prompt_tokens - 1) / 32) * 32);
  assert.ok(cached(again) >= 128);
  assert.equal(textOf(again), textOf(before));
});

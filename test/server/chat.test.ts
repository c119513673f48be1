import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seedOf } from '../../src/backend/sampling/random.ts';
import { RealmError } from '../../src/errors.ts';
import type { ModelId } from '../../src/sandbox/model-id.ts';
import { first } from '../support/entries.ts';
import { frames, generated, passThrough, post, ScriptedModel, sandboxOf, scripted } from './scripted.ts';

const hello = { messages: [{ role: 'user', content: 'Hi' }] };
const chat = (body: object = {}) => post('/v1/chat/completions', { ...hello, ...body });
const says = (text: string) => ({ answer: () => text });

test('a chat is answered in OpenAI shape, with usage from the engine', async () => {
  const { app, model } = scripted(says('Paris'));
  const response = await app.fetch(chat({ model: 'gpt-4o' }));
  assert.equal(response.status, 200);
  assert.match(response.headers.get('x-request-id')!, /^req_[0-9a-f]{24}$/);
  const { id, created, ...body } = await response.json();
  assert.match(id, /^chatcmpl-[0-9a-f]{24}$/);
  assert.ok(Math.abs(created - Date.now() / 1000) < 60);
  assert.deepEqual(body, {
    object: 'chat.completion',
    model: 'scripted',
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: 'Paris', refusal: null },
        logprobs: null,
        finish_reason: 'stop',
      },
    ],
    usage: {
      ...{ prompt_tokens: 20, completion_tokens: 5, total_tokens: 25 },
      prompt_tokens_details: { cached_tokens: 2 },
      completion_tokens_details: { reasoning_tokens: 0 },
    },
  });
  assert.equal(model.tokenizer.decode(first(model.requests).prompt), '[user]Hi[assistant]');
});

test('a stream has one chunk a token, then the reason, the usage and the end', async () => {
  const { app } = scripted(says('Paris'));
  const response = await app.fetch(chat({ stream: true, stream_options: { include_usage: true } }));
  assert.match(response.headers.get('content-type')!, /^text\/event-stream/);
  assert.ok(response.headers.get('x-request-id'));
  const all = await frames(response);
  assert.equal(all.pop(), '[DONE]');
  const usage = all.pop();
  assert.deepEqual(usage.choices, []);
  assert.equal(usage.usage.completion_tokens, 5);
  assert.ok(
    all.every(chunk => chunk.usage === null && chunk.object === 'chat.completion.chunk' && chunk.id === usage.id),
  );
  const choices = all.map(chunk => chunk.choices[0]);
  assert.deepEqual(choices[0].delta, { role: 'assistant', content: '' });
  assert.deepEqual(
    choices.slice(1, -1).map(c => c.delta.content),
    [...'Paris'],
  );
  assert.deepEqual(choices.at(-1), { index: 0, delta: {}, logprobs: null, finish_reason: 'stop' });
});

test('without include_usage no chunk has usage', async () => {
  const { app } = scripted(says('ab'));
  const all = await frames(await app.fetch(chat({ stream: true })));
  assert.ok(all.slice(0, -1).every(chunk => !('usage' in chunk)));
});

test('every sampling field reaches the engine; a model default fills only what is absent', async () => {
  const model = new ScriptedModel('m', says('x'), { sampling: { temperature: 0.2, topP: 0.5 } });
  const { app } = scripted(says(''), { models: [model] });
  const sent = {
    temperature: 0.7,
    top_k: -1,
    min_p: 0.1,
    repetition_penalty: 1.2,
    presence_penalty: 0.5,
    frequency_penalty: -0.5,
    logit_bias: { 65: 10 },
    seed: 7,
    stop: ['a', 'b'],
    max_completion_tokens: 9,
    top_p: null,
    user: 'u',
  };
  assert.equal((await app.fetch(chat(sent))).status, 200);
  const { sampling, stop, maxTokens, tenant } = first(model.requests);
  assert.deepEqual(sampling, {
    temperature: 0.7,
    topK: -1,
    topP: 0.5,
    minP: 0.1,
    repetitionPenalty: 1.2,
    presencePenalty: 0.5,
    frequencyPenalty: -0.5,
    logitBias: Float64Array.of(65, 10),
    seed: 7,
  });
  assert.deepEqual(stop, ['a', 'b']);
  assert.equal(maxTokens, 9);
  assert.equal(tenant, 'default');
});

test('the default system prompt is for chats that have none', async () => {
  const model = new ScriptedModel('m', says('x'), { system: 'Be brief.' });
  const { app } = scripted(says(''), { models: [model] });
  await app.fetch(chat());
  await app.fetch(
    chat({
      messages: [
        { role: 'developer', content: 'Own.' },
        { role: 'user', content: 'Hi' },
      ],
    }),
  );
  assert.deepEqual(
    model.requests.map(r => model.tokenizer.decode(r.prompt)),
    ['[system]Be brief.[user]Hi[assistant]', '[system]Own.[user]Hi[assistant]'],
  );
});

test('text parts are joined', async () => {
  const { app, model } = scripted(says('x'));
  await app.fetch(
    chat({
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'a' },
            { type: 'text', text: 'b' },
          ],
        },
      ],
    }),
  );
  assert.equal(model.tokenizer.decode(first(model.requests).prompt), '[user]ab[assistant]');
});

test('n answers have their own seeds and programs; the prompt counts once', async () => {
  const { app, model, services } = scripted({ answer: ({ sampling }) => `s${sampling.seed}` });
  const body = await (await app.fetch(chat({ n: 3, seed: 5 }))).json();
  assert.deepEqual(
    body.choices.map((c: { message: { content: string } }) => c.message.content),
    ['s5', 's6', 's7'],
  );
  assert.deepEqual([body.usage.prompt_tokens, body.usage.completion_tokens], [20, 6]);
  assert.equal(new Set(model.requests.map(r => r.id)).size, 3);
  assert.equal((services.sandbox as ReturnType<typeof sandboxOf>).calls.length, 3);
});

test('seeds of 64 bits are seeds, and the answers after the last one have seeds too', async () => {
  const { app, model } = scripted(says('x'));
  const seeds = async (body: string) => {
    const from = model.requests.length;
    assert.equal((await app.fetch(post('/v1/chat/completions', body))).status, 200, body);
    return model.requests.slice(from).map(({ sampling }) => seedOf(sampling.seed!).join());
  };
  const body = (seed: string, n: number) => `{"messages":[{"role":"user","content":"x"}],"n":${n},"seed":${seed}}`;
  for (const seed of [
    '-9223372036854775808',
    '9223372036854775807',
    '18446744073709551615',
    '9007199254740993',
    '-1',
  ]) {
    const first = await seeds(body(seed, 1));
    assert.deepEqual(await seeds(body(seed, 1)), first);
    const all = await seeds(body(seed, 4));
    assert.equal(all[0], first[0]);
    assert.equal(new Set(all).size, 4, seed);
  }
});

test('streamed answers of n carry their index', async () => {
  const { app } = scripted(says('ab'));
  const all = (await frames(await app.fetch(chat({ n: 2, stream: true })))).slice(0, -1);
  for (const index of [0, 1]) {
    const own = all.map(chunk => chunk.choices[0]).filter(choice => choice.index === index);
    assert.equal(own.map(choice => choice.delta.content ?? '').join(''), 'ab');
    assert.equal(own.at(-1).finish_reason, 'stop');
  }
});

test('logprobs have the chat shape, whole and streamed', async () => {
  const { app } = scripted(says('hé'));
  const body = await (await app.fetch(chat({ logprobs: true, top_logprobs: 1 }))).json();
  const entry = { token: 'é', logprob: -0.5, bytes: [195, 169] };
  assert.equal(body.choices[0].logprobs.content.length, 2);
  assert.deepEqual(body.choices[0].logprobs.content[1], { ...entry, top_logprobs: [entry] });
  const all = await frames(await app.fetch(chat({ logprobs: true, stream: true })));
  assert.deepEqual(all[2].choices[0].logprobs.content, [{ ...entry, top_logprobs: [] }]);
});

test('max_tokens ends an answer by length, and the context bounds it', async () => {
  const { app } = scripted(says('x'.repeat(500)));
  const short = await (await app.fetch(chat({ max_tokens: 3 }))).json();
  assert.equal(short.choices[0].finish_reason, 'length');
  assert.equal(short.choices[0].message.content, 'xxx');
  const long = await (await app.fetch(chat({ max_tokens: 200 }))).json();
  assert.equal(long.usage.total_tokens, 200);
  assert.equal(long.usage.completion_tokens, 180);
  // Whatever is wished for beyond what is left is cut: the answer says that it ended by length.
  for (const fields of [{ max_tokens: 201 }, { max_tokens: 1e30 }, { max_completion_tokens: 2 ** 53 }]) {
    const cut = await (await app.fetch(chat(fields))).json();
    assert.equal(cut.choices[0].finish_reason, 'length');
    assert.equal(cut.usage.completion_tokens, 180);
  }
});

test('a prompt longer than the context is refused with both numbers, streamed or not', async () => {
  const { app } = scripted(says('x'));
  const messages = [{ role: 'user', content: 'y'.repeat(190) }];
  for (const stream of [false, true]) {
    const response = await app.fetch(chat({ messages, stream }));
    assert.equal(response.status, 400);
    const { error } = await response.json();
    assert.equal(error.code, 'context_length_exceeded');
    assert.equal(error.param, 'messages');
    assert.match(error.message, /208.*200/);
  }
});

test("a program's own text is what the client sees, and the options it changes are what the engine gets", async () => {
  const shout = sandboxOf(async function* ({ host, modelId, signal }) {
    const options = { temperature: 0, seed: 3n, maxTokens: 4 };
    for await (const text of generated(host, { modelId, prompt: 'just text', options }, signal))
      yield text.toUpperCase();
  });
  const { app, model } = scripted(says('paris and more'), { sandbox: shout });
  const body = await (await app.fetch(chat({ temperature: 1.5, top_p: 0.123456789, seed: 9 }))).json();
  assert.equal(body.choices[0].message.content, 'PARI');
  assert.equal(model.tokenizer.decode(first(model.requests).prompt), '[user]just text[assistant]');
  assert.deepEqual(first(model.requests).sampling, { temperature: 0, topP: 0.123456789, seed: 3n });
});

test('usage adds up over the calls of a program, also those that it leaves early', async () => {
  const twice = sandboxOf(async function* (call) {
    yield* passThrough(call);
    for await (const text of passThrough(call)) {
      yield text;
      break;
    }
  });
  const { app } = scripted(says('abc'), { sandbox: twice });
  const body = await (await app.fetch(chat())).json();
  assert.equal(body.choices[0].message.content, 'abca');
  assert.deepEqual([body.usage.prompt_tokens, body.usage.completion_tokens], [40, 4]);
});

test('a program with absurd options or models is refused, not the server', async () => {
  for (const [options, modelId] of [
    [{ temperature: Number.NaN }, 0],
    [{ repetitionPenalty: -1 }, 0],
    [{}, 7],
  ] as const) {
    const sandbox = sandboxOf(({ host, prompt, signal }) =>
      generated(host, { modelId: modelId as ModelId, prompt, options }, signal),
    );
    const { app } = scripted(says('x'), { sandbox });
    const response = await app.fetch(chat());
    assert.ok(response.status === 400 || response.status === 404);
    assert.match((await response.json()).error.message, /The program asked for/);
  }
});

test('a failure before the first token has its status; a later one is a frame and the end', async () => {
  const error = new RealmError('engine_failed', 'The engine died');
  const early = scripted({ ...says('abc'), failAfter: { tokens: 0, error } });
  const refused = await early.app.fetch(chat({ stream: true }));
  assert.equal(refused.status, 500);
  assert.equal((await refused.json()).error.code, 'engine_failed');

  const late = scripted({ ...says('abc'), failAfter: { tokens: 2, error } });
  const all = await frames(await late.app.fetch(chat({ stream: true })));
  assert.deepEqual(all.at(-1), {
    error: { message: 'The engine died', type: 'server_error', param: null, code: 'engine_failed' },
  });
  assert.equal(all.at(-2).choices[0].delta.content, 'b');
  assert.equal(late.lines.at(-1)!.status, 500);
  assert.equal(late.services.state.open.size, 0);
});

test('an unforeseen error says nothing of itself to the client and all to the log', async () => {
  const error = new Error('secret /home/path');
  for (const tokens of [0, 1]) {
    const { app, lines } = scripted({ ...says('abc'), failAfter: { tokens, error } });
    const response = await app.fetch(chat({ stream: true }));
    const text = await response.text();
    assert.ok(!text.includes('secret'));
    assert.ok(text.includes('internal_error') && text.includes(response.headers.get('x-request-id')!));
    assert.ok(String(lines.find(line => line.stack)?.stack).includes('secret /home/path'));
  }
});

test('when one of n fails, the others stop', async () => {
  const error = new RealmError('engine_failed', 'one died');
  const model = new ScriptedModel('m', { answer: () => 'x'.repeat(100) });
  const generate: typeof model.generate = (request, signal) => {
    if (request.sampling.seed !== 2n) return model.generate(request, signal);
    return new ScriptedModel('f', { ...says('abc'), failAfter: { tokens: 1, error } }).generate(request, signal);
  };
  const { app } = scripted(says(''), { models: [{ ...model, generate, engine: model.engine }] });
  assert.equal((await app.fetch(chat({ n: 2, seed: 1 }))).status, 500);
  await new Promise(resolve => setTimeout(resolve, 20));
  assert.equal(model.running, 0);
  assert.ok(model.generated < 10, `${model.generated} tokens`);
});

/** Prompts of plain completions: as texts, as tokens, with a gap to fill in; the prompt before the answer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  tokenizer as bytewise,
  frames,
  generated,
  type ProgramBody,
  passThrough,
  post,
  ScriptedModel,
  sandboxOf,
  scripted,
} from './scripted.ts';

function serve(answer = 'x', program: ProgramBody = passThrough, tokenizer = bytewise) {
  const model = new ScriptedModel('scripted', { answer: () => answer });
  Object.assign(model, { tokenizer });
  const { app } = scripted({ answer: () => answer }, { models: [model], sandbox: sandboxOf(program) });
  const ask = (body: object) => app.fetch(post('/v1/completions', body));
  return { ask, model, prompts: () => model.requests.map(({ prompt }) => [...prompt]) };
}

test('tokens are taken as they are, one prompt or several', async () => {
  const { ask, prompts } = serve();
  assert.equal((await ask({ prompt: [72, 105] })).status, 200);
  assert.equal((await ask({ prompt: [[72], [73, 74]], n: 2 })).status, 200);
  assert.equal((await ask({ prompt: 'Hi' })).status, 200);
  assert.deepEqual(prompts(), [[72, 105], [72], [72], [73, 74], [73, 74], [0, 72, 105]]);
});

test('a program sees the text of tokens, and what it changes is a text', async () => {
  const seen: string[] = [];
  const { ask, prompts } = serve('x', async function* (call) {
    seen.push(call.prompt);
    yield* passThrough(call);
    yield* passThrough({ ...call, prompt: `${call.prompt}!` });
  });
  await ask({ prompt: [72, 105] });
  assert.deepEqual(seen, ['Hi']);
  assert.deepEqual(prompts(), [
    [72, 105],
    [0, 72, 105, 33],
  ]);
});

test('echo repeats the prompt, streamed and whole', async () => {
  const { ask } = serve('lo');
  const whole = await (await ask({ prompt: ['Hel', [72, 101, 108]], echo: true })).json();
  assert.deepEqual(
    whole.choices.map((choice: { text: string }) => choice.text),
    ['Hello', 'Hello'],
  );
  const all = await frames(await ask({ prompt: 'Hel', echo: true, stream: true }));
  const texts = all.slice(0, -1).map(chunk => chunk.choices[0].text);
  assert.deepEqual(texts, ['Hel', 'l', 'o', '']);
});

test('echo with logprobs: those of the prompt too, its first token without', async () => {
  const { ask } = serve('lo');
  const logprobs = async (body: object) => {
    const { choices } = await (await ask({ echo: true, logprobs: 1, max_tokens: 1, ...body })).json();
    return choices.map((choice: { logprobs: object }) => choice.logprobs);
  };
  const expected = {
    tokens: ['H', 'e', 'l', 'l'],
    token_logprobs: [null, -101, -108, -0.5],
    top_logprobs: [null, { e: -101 }, { l: -108 }, { l: -0.5 }],
    text_offset: [0, 1, 2, 3],
  };
  assert.deepEqual(await logprobs({ prompt: [72, 101, 108] }), [expected]);
  assert.deepEqual(
    await logprobs({
      prompt: [
        [72, 101, 108],
        [72, 101, 108],
      ],
    }),
    [expected, expected],
  );
  // What begins every text is no part of the client's.
  const [begun] = await logprobs({ prompt: 'Hel' });
  assert.deepEqual(begun, {
    tokens: ['\0', ...expected.tokens],
    token_logprobs: [null, -72, ...expected.token_logprobs.slice(1)],
    top_logprobs: [null, { H: -72 }, ...expected.top_logprobs.slice(1)],
    text_offset: [0, 0, 1, 2, 3],
  });
  const [alone] = await logprobs({ prompt: [72, 101, 108], max_tokens: 0 });
  assert.deepEqual(alone.tokens, ['H', 'e', 'l']);
});

test('streamed, the prompt and its log-probabilities are one chunk, the answer comes behind', async () => {
  const { ask } = serve('lo');
  const all = await frames(await ask({ prompt: [72, 101, 108], echo: true, logprobs: 0, stream: true }));
  const said = all.slice(0, -1).map(({ choices: [{ text, logprobs }] }) => [text, logprobs?.text_offset ?? []]);
  assert.deepEqual(said, [
    ['Hel', [0, 1, 2]],
    ['l', [3]],
    ['o', [4]],
    ['', []],
  ]);
});

test('a long prompt’s log-probabilities are many chunks, and the same in one piece', async () => {
  const { ask } = serve('lo');
  const body = { prompt: Array.from({ length: 150 }, (_, i) => 60 + (i % 60)), echo: true, logprobs: 2, max_tokens: 1 };
  const { choices } = await (await ask(body)).json();
  assert.equal(choices[0].logprobs.tokens.length, 151);
  const all = await frames(await ask({ ...body, stream: true }));
  const chunks = all.slice(0, -1).map(({ choices: [choice] }) => choice);
  assert.equal(chunks.map(({ text }) => text).join(''), choices[0].text);
  for (const column of ['tokens', 'token_logprobs', 'top_logprobs', 'text_offset'])
    assert.deepEqual(
      chunks.flatMap(({ logprobs }) => logprobs?.[column] ?? []),
      choices[0].logprobs[column],
    );
  const sizes = chunks.map(({ logprobs }) => logprobs?.tokens.length ?? 0);
  assert.deepEqual(sizes, [64, 64, 22, 1, 0]);
});

test('a program that asks for another prompt has no log-probabilities of the client’s', async () => {
  const changed = serve('x', call => passThrough({ ...call, prompt: `${call.prompt}!` }));
  const response = await changed.ask({ prompt: 'Hi', echo: true, logprobs: 1 });
  assert.equal(response.status, 400);
  assert.equal((await response.json()).error.param, 'echo');
  // One that asks for more gets those of the client's, once.
  const both = serve('x', async function* (call) {
    yield* passThrough(call);
    yield* passThrough({ ...call, prompt: 'other' });
    yield* passThrough(call);
  });
  const { choices } = await (await both.ask({ prompt: [72, 105], echo: true, logprobs: 0 })).json();
  assert.deepEqual(choices[0].logprobs.tokens, ['H', 'i', 'x', 'x', 'x']);
  assert.deepEqual(choices[0].logprobs.text_offset, [0, 1, 2, 3, 4]);
});

test('no tokens are an empty answer with its usage', async () => {
  const { ask, model } = serve('abc');
  const answer = await (await ask({ prompt: [72, 105], max_tokens: 0 })).json();
  assert.deepEqual([answer.choices[0].text, answer.choices[0].finish_reason], ['', 'length']);
  assert.equal(answer.usage.completion_tokens, 0);
  await ask({ prompt: 'a', min_tokens: 3 });
  assert.equal(model.requests.at(-1)!.minTokens, 3);
});

test('a program that wants fewer tokens than the client’s least gets its way', async () => {
  const { ask, model } = serve('abc', ({ host, modelId, prompt, signal }) =>
    generated(host, { modelId, prompt, options: { maxTokens: 2 } }, signal),
  );
  assert.equal((await ask({ prompt: 'a', min_tokens: 5 })).status, 200);
  assert.equal(model.requests.at(-1)!.minTokens, 2);
});

test('a suffix goes where the model was trained to have it', async () => {
  const fillInTheMiddle = { prefix: '<P>', suffix: '<S>', middle: '<M>' };
  const { ask, model } = serve('x', passThrough, { ...bytewise, fillInTheMiddle });
  assert.equal((await ask({ prompt: 'a = ', suffix: ' + 1' })).status, 200);
  assert.equal(bytewise.decode(model.requests[0]!.prompt), '<P>a = <S> + 1<M>');
});

test('an empty prompt begins as every text', async () => {
  // biome-ignore lint/correctness/useYield: it has no steps
  const encodeInSteps = function* () {
    return [];
  };
  const { ask, prompts } = serve('x', passThrough, { ...bytewise, encodeInSteps });
  assert.equal((await ask({ prompt: '' })).status, 200);
  assert.deepEqual(prompts(), [[0]]);
});

test('other names for the most tokens, and ends that are ignored', async () => {
  const { ask, model } = serve('abc');
  const text = async (body: object) => (await (await ask({ prompt: 'a', ...body })).json()).choices[0].text;
  assert.equal(await text({ n_predict: 2 }), 'ab');
  assert.equal(await text({ max_tokens: -1 }), 'abc');
  await text({ ignore_eos: true, stop_token_ids: [98] });
  const { ignoreEnds, stopTokens } = model.requests.at(-1)!;
  assert.deepEqual([ignoreEnds, stopTokens], [true, [98]]);
});

test("llama-server's names of the penalty for what was said", async () => {
  const { app, model } = scripted({ answer: () => 'x' });
  const ask = (body: object) => app.fetch(post('/v1/completions', { prompt: 'a', ...body }));
  await ask({ repeat_penalty: 1.5, repeat_last_n: 7 });
  await ask({ repeat_penalty: 1.5, repetition_penalty: 1.2, repeat_last_n: -1 });
  const { sampling: first } = model.requests[0]!;
  const { sampling: second } = model.requests[1]!;
  assert.deepEqual([first.repetitionPenalty, first.penaltyWindow], [1.5, 7]);
  assert.deepEqual([second.repetitionPenalty, second.penaltyWindow], [1.2, 2 ** 32]);
  const { error } = await (await ask({ repeat_last_n: 0.5 })).json();
  assert.match(error.message, /^repeat_last_n: must be an integer from 0/);
});

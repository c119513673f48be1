/** Prompts of plain completions: as texts, as tokens, with a gap to fill in; the prompt before the answer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  tokenizer as bytewise,
  frames,
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

/** Log-probabilities of prompts, prompts alone, and answers of a least length. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EngineOptions } from '../../src/engine/options.ts';
import type { GenerateRequest, TokenLogprob } from '../../src/engine/request.ts';
import type { Token } from '../../src/tokenizer/types.ts';
import { at } from '../support/entries.ts';
import { Oracle, poison, ScriptedModel, type ScriptedOptions } from './scripted-model.ts';
import {
  collect,
  engineOf,
  expectedAnswer,
  expectedPromptLogprobs,
  promptLogprobsOf,
  request,
  tokensOf,
} from './support.ts';

const last = <T>(list: readonly T[]): T => at(list, list.length - 1);

const scored = [3, 40, 77, 150].map((length, seed) =>
  request(seed, length, { promptLogprobs: seed % 3, topLogprobs: 1, maxTokens: 30, sampling: { seed } }),
);

async function run(requests: readonly GenerateRequest[], model: ScriptedOptions = {}, options: EngineOptions = {}) {
  const engine = engineOf(new ScriptedModel({ maxOutputs: 24, ...model }), options);
  const all = await Promise.all(requests.map(each => collect(engine.submit(each))));
  const stats = await engine.stats();
  await engine.close();
  return { all, stats };
}

function check(requests: readonly GenerateRequest[], all: Awaited<ReturnType<typeof run>>['all']): void {
  for (const [i, each] of requests.entries()) {
    assert.deepEqual(tokensOf(all[i]!), expectedAnswer(each, 32, 512));
    if (each.promptLogprobs !== undefined)
      assert.deepEqual(promptLogprobsOf(all[i]!), expectedPromptLogprobs(each, 32));
  }
}

test('a prompt’s log-probabilities are those of a softmax of the rows before its tokens', async () => {
  const [one] = [request(5, 50, { promptLogprobs: 3, maxTokens: 1 })];
  const { all } = await run([one]);
  const said = promptLogprobsOf(all[0]!);
  assert.equal(said.length, 49);
  const oracle = new Oracle();
  for (const [i, { token, logprob, top }] of said.entries()) {
    oracle.push(one.prompt[i]!);
    const row = [...oracle.logits(32)];
    const norm = Math.log(row.reduce((sum, logit) => sum + Math.exp(logit), 0));
    assert.equal(token, one.prompt[i + 1]);
    assert.ok(Math.abs(logprob - (row[token]! - norm)) < 1e-6);
    const best = row.map((logit, id) => [logit - norm, id] as const).sort((a, b) => b[0] - a[0]);
    assert.deepEqual(
      top.map(each => each.token),
      best.slice(0, 3).map(([, id]) => id),
    );
  }
  const firstToken = all[0]!.findIndex(({ kind }) => kind === 'token');
  assert.ok(
    all[0]!.slice(0, firstToken).every(({ kind }) => kind === 'prompt'),
    'they come before the answer',
  );
});

test('they are the same alone, in pieces, among others, of a device and after a preemption', async () => {
  const others = Array.from({ length: 8 }, (_, i) => request(100 + i, 3 + 11 * i, { tenant: `n${i % 3}` }));
  for (const each of scored) check([each], (await run([each])).all);
  check([...scored, ...others], (await run([...scored, ...others])).all);
  check(scored, (await run(scored, { maxOutputs: 16 })).all);
  check(scored, (await run(scored, { distant: true }, { maxBatchedTokens: 20, prefillChunk: 7 })).all);
  const tight = [...scored, ...scored.map((each, i) => ({ ...each, tenant: `t${i}` }))];
  check(tight, (await run(tight, { pages: 10 })).all);
});

test('a cached prefix is computed again for them, and what they compute is cached', async () => {
  const engine = engineOf(new ScriptedModel({ maxOutputs: 24 }));
  const plain = request(1, 100, { maxTokens: 2 });
  const cachedTokens = async (each: GenerateRequest) => {
    const events = await collect(engine.submit(each));
    if (each.promptLogprobs !== undefined) assert.equal(promptLogprobsOf(events).length, 99);
    const end = last(events);
    return end.kind === 'end' && end.usage.cachedTokens;
  };
  assert.equal(await cachedTokens({ ...plain, promptLogprobs: 0 }), 0);
  assert.equal(await cachedTokens(plain), 96);
  assert.equal(await cachedTokens({ ...plain, promptLogprobs: 0 }), 0);
  await engine.close();
});

test('the token that ends an answer to a scored prompt is reported with the end', async () => {
  const asked = request(1, 10, { topLogprobs: 1, promptLogprobs: 1 });
  const answer = expectedAnswer(asked, 32, 512);
  const stopTokens = [answer[3]!];
  const { all } = await run([
    { ...asked, stopTokens },
    { ...asked, stopTokens, promptLogprobs: undefined },
  ]);
  const [end, without] = all.map(last);
  assert.ok(end?.kind === 'end' && end.reason === 'stop' && without?.kind === 'end');
  assert.equal(end.logprob?.token, answer[3]);
  assert.equal(without.logprob, undefined);
});

test('no tokens at all: the prompt is computed, and fills the cache', async () => {
  const engine = engineOf(new ScriptedModel({ pages: 8 }));
  const events = await collect(engine.submit(request(1, 100, { maxTokens: 0 })));
  assert.deepEqual(events, [
    { kind: 'end', reason: 'length', usage: { promptTokens: 100, cachedTokens: 0, completionTokens: 0 } },
  ]);
  const end = last(await collect(engine.submit(request(1, 100, { maxTokens: 1 }))));
  assert.ok(end.kind === 'end' && end.usage.cachedTokens === 96);
  // The whole context is room for a prompt then.
  const whole = last(await collect(engine.submit(request(2, 256, { maxTokens: 0, promptLogprobs: 0 }))));
  assert.ok(whole.kind === 'end');
  assert.equal((await engine.stats()).completionTokens, 1);
  await engine.close();
});

test('nothing ends an answer before its least length, with drafts and without', async () => {
  const plain = request(3, 20, { maxTokens: 40, sampling: { temperature: 0 } });
  const free = expectedAnswer(plain, 32, 512);
  for (const speculation of ['lookup', 'off'] as const) {
    for (const minTokens of [0, 1, 7, 40]) {
      const asked = { ...plain, minTokens, stopTokens: [free[0]!, free[5]!] as Token[] };
      const { all } = await run([asked, request(9, 30)], {}, { speculation });
      assert.deepEqual(tokensOf(all[0]!), expectedAnswer(asked, 32, 512));
      assert.ok(tokensOf(all[0]!).length >= minTokens);
    }
  }
});

test('a constraint that lets nothing else follow ends an answer before its least length', async () => {
  const asked = request(1, 8, { minTokens: 6, maxTokens: 9, constraint: { kind: 'choice', choices: ['ab'] } });
  const { all } = await run([asked]);
  const end = last(all[0]!);
  assert.ok(end.kind === 'end' && end.reason === 'stop' && tokensOf(all[0]!).length < 6);
});

test('what cannot be is refused by name', async () => {
  const bad: [Partial<GenerateRequest>, string][] = [
    [{ promptLogprobs: 21 }, 'prompt_logprobs'],
    [{ minTokens: -1 }, 'min_tokens'],
    [{ minTokens: 5, maxTokens: 4 }, 'min_tokens'],
  ];
  const { all } = await run(bad.map(([rest]) => request(1, 8, rest)));
  for (const [i, [, param]] of bad.entries()) {
    const [event] = all[i]!;
    assert.ok(event?.kind === 'error' && event.code === 'invalid_request');
    assert.equal(event.param, param);
  }
});

test('a prompt whose logits are no numbers fails, and nobody else', async () => {
  const well = request(2, 50, { promptLogprobs: 1 });
  const ill = { ...well, prompt: well.prompt.with(40, poison as Token) };
  const { all } = await run([ill, well]);
  const end = last(all[0]!);
  assert.ok(end.kind === 'error' && end.code === 'engine_failed');
  check([well], [all[1]!]);
});

test('memory is that of a step’s rows, however long the prompt', async () => {
  const model = new ScriptedModel({ maxOutputs: 24 });
  let most = 0;
  model.beforeRun = ({ outputs }) => {
    most = Math.max(most, outputs.length);
  };
  const engine = engineOf(model);
  const said: TokenLogprob[] = [];
  for await (const event of engine.submit(request(1, 400, { promptLogprobs: 2, maxTokens: 0 }))) {
    if (event.kind !== 'prompt') continue;
    assert.ok(event.logprobs.length <= 24);
    said.push(...event.logprobs);
  }
  assert.equal(said.length, 399);
  assert.ok(most <= 9, 'one row for each that may run, and the rest of them');
  await engine.close();
});

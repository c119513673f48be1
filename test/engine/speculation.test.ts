import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GenerateRequest } from '../../src/engine/request.ts';
import type { Token } from '../../src/tokenizer/types.ts';
import { Oracle, ScriptedModel } from './scripted-model.ts';
import { collect, engineOf, request, tokensOf } from './support.ts';

/** Answers that repeat: the bias leaves only a few tokens. */
const repetitive = (seed: number): GenerateRequest =>
  request(seed, 40, {
    maxTokens: 120,
    sampling: {
      seed,
      temperature: seed % 2,
      logitBias: Array.from({ length: 27 }, (_, i) => [(5 + i) as Token, -100]),
    },
  });

async function run(speculation: 'off' | 'lookup', requests: readonly GenerateRequest[], draft?: ScriptedModel) {
  const model = new ScriptedModel({ maxOutputs: 12 });
  const engine = engineOf(model, { speculation }, draft);
  const answers = await Promise.all(requests.map(async each => tokensOf(await collect(engine.submit(each)))));
  const stats = await engine.stats();
  await engine.close();
  return { answers, stats };
}

test('drafts change no token, greedy or sampled, alone or beside others, and save steps', async () => {
  for (const seeds of [[2], [3], [12, 13, 14]]) {
    const requests = seeds.map(repetitive);
    const plain = await run('off', requests);
    const drafted = await run('lookup', requests);
    assert.deepEqual(drafted.answers, plain.answers);
    assert.equal(plain.stats.draftedTokens, 0);
    assert.ok(drafted.stats.acceptedTokens > 0, 'nothing that was drafted was right');
    assert.ok(drafted.stats.steps < plain.stats.steps);
    assert.equal(drafted.stats.completionTokens, plain.stats.completionTokens);
  }
});

test('stop tokens and lengths end an answer in the middle of a draft', async () => {
  const free = (await run('off', [repetitive(2)])).answers[0]!;
  const stop = free[60]!;
  const until = free.slice(0, free.indexOf(stop));
  assert.deepEqual((await run('lookup', [{ ...repetitive(2), stopTokens: [stop] }])).answers, [until]);
  for (const maxTokens of [59, 60, 61, 62, 63]) {
    const { answers } = await run('lookup', [{ ...repetitive(2), maxTokens }]);
    assert.deepEqual(answers, [free.slice(0, maxTokens)]);
  }
});

/** Answers in which the prompt says nothing about what comes next. */
const free = (seed: number): GenerateRequest =>
  request(seed, 70, { maxTokens: 150, sampling: { seed, temperature: seed % 2 } });

test('a draft model changes no token, greedy or sampled, alone or beside others, and saves steps', async () => {
  for (const seeds of [[2], [3], [4, 5, 6]]) {
    const requests = seeds.map(free);
    const plain = await run('off', requests);
    for (const noise of [0, 0.2]) {
      const { answers, stats } = await run('lookup', requests, new ScriptedModel({ noise }));
      assert.deepEqual(answers, plain.answers);
      assert.ok(stats.steps < 0.8 * plain.stats.steps, `${stats.steps} of ${plain.stats.steps} steps`);
      if (noise === 0) assert.ok(stats.acceptedTokens > 0.95 * stats.draftedTokens);
    }
  }
});

test('a draft model that is mostly wrong is not asked for long', async () => {
  const requests = [free(2)];
  const { answers, stats } = await run('lookup', requests, new ScriptedModel({ noise: 1 }));
  assert.deepEqual(answers, (await run('off', requests)).answers);
  assert.ok(stats.draftedTokens < 50, `${stats.draftedTokens} tokens were drafted`);
});

test('a draft model catches up on long prompts in pieces, and finds what it computed for others of the tenant', async () => {
  const draft = new ScriptedModel({ maxBatchTokens: 48 });
  let rows = 0;
  draft.beforeRun = batch => {
    rows += batch.tokens;
  };
  const engine = engineOf(new ScriptedModel({ maxOutputs: 12 }), {}, draft);
  const ask = async (tenant: string) => {
    rows = 0;
    const answer = tokensOf(
      await collect(engine.submit({ ...free(2), prompt: request(2, 300).prompt, tenant, maxTokens: 12 })),
    );
    return { answer, rows };
  };
  const first = await ask('a');
  const second = await ask('a');
  const other = await ask('b');
  await engine.close();
  assert.deepEqual([second.answer, other.answer], [first.answer, first.answer]);
  assert.ok(first.rows > 300 && other.rows > 300 && second.rows < 100, `${[first.rows, second.rows, other.rows]} rows`);
});

test('sampled answers have the model’s distribution with drafts, as they have without', async () => {
  const few: [Token, number][] = Array.from({ length: 26 }, (_, i) => [(6 + i) as Token, -100]);
  const { prompt } = request(1, 40);
  const samples = 3000;
  const engine = engineOf(new ScriptedModel({ maxOutputs: 12 }), {}, new ScriptedModel({ noise: 0.3 }));
  const thirds = new Map<Token, number>();
  for (let seed = 0; seed < samples; seed++) {
    const asked = { prompt, maxTokens: 4, sampling: { seed, temperature: 1, logitBias: few } };
    const token = tokensOf(await collect(engine.submit({ ...request(1, 0), ...asked })))[2]!;
    thirds.set(token, (thirds.get(token) ?? 0) + 1);
  }
  const { acceptedTokens } = await engine.stats();
  await engine.close();
  assert.ok(acceptedTokens > samples / 4, `${acceptedTokens} drafted tokens were right`);
  const expected = thirdToken(prompt, few);
  const statistic = [...expected].reduce(
    (sum, [token, p]) => sum + ((thirds.get(token) ?? 0) - samples * p) ** 2 / (samples * p),
    0,
  );
  // The chi-squared distribution with as many degrees of freedom exceeds this once in 10,000 times.
  assert.equal(expected.size, 5);
  assert.ok(statistic < 23.5, `chi-squared ${statistic}`);
});

/** The exact distribution of the third token of an answer. */
function thirdToken(prompt: readonly Token[], bias: readonly [Token, number][]): Map<Token, number> {
  const sums = new Map<Token, number>();
  const walk = (answer: readonly Token[], probability: number): void => {
    const third = answer[2];
    if (third !== undefined) return void sums.set(third, (sums.get(third) ?? 0) + probability);
    const oracle = new Oracle();
    for (const token of [...prompt, ...answer]) oracle.push(token);
    const logits = oracle.logits(32);
    for (const [token, value] of bias) logits[token]! += value;
    const weights = Array.from(logits, Math.exp);
    const total = weights.reduce((a, b) => a + b, 0);
    for (const [token, weight] of weights.entries()) {
      if (weight / total > 1e-20) walk([...answer, token as Token], (probability * weight) / total);
    }
  };
  walk([], 1);
  return sums;
}

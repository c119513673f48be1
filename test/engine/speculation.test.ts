import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EngineRequest } from '../../src/engine/types.ts';
import type { Token } from '../../src/tokenizer/types.ts';
import { ScriptedModel } from './scripted-model.ts';
import { collect, engineOf, request, tokensOf } from './support.ts';

/** Answers that repeat: the bias leaves only a few tokens. */
const repetitive = (seed: number): EngineRequest =>
  request(seed, 40, {
    maxTokens: 120,
    sampling: {
      seed,
      temperature: seed % 2,
      logitBias: Array.from({ length: 27 }, (_, i) => [(5 + i) as Token, -100]),
    },
  });

async function run(speculation: 'off' | 'lookup', requests: readonly EngineRequest[]) {
  const model = new ScriptedModel({ maxOutputs: 12 });
  const engine = engineOf(model, { speculation });
  const answers = await Promise.all(requests.map(async each => tokensOf(await collect(engine.submit(each)))));
  const stats = await engine.stats();
  await engine.close();
  return { answers, stats };
}

test('drafts change no token, greedy or sampled, alone or beside others, and save steps', async () => {
  for (const seeds of [[2], [3], [4, 5, 6]]) {
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
  const [free] = (await run('off', [repetitive(2)])).answers;
  const stop = free[60];
  const until = free.slice(0, free.indexOf(stop));
  assert.deepEqual((await run('lookup', [{ ...repetitive(2), stopTokens: [stop] }])).answers, [until]);
  for (const maxTokens of [59, 60, 61, 62, 63]) {
    const { answers } = await run('lookup', [{ ...repetitive(2), maxTokens }]);
    assert.deepEqual(answers, [free.slice(0, maxTokens)]);
  }
});

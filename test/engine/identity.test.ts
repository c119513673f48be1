import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EngineLoop } from '../../src/engine/loop.ts';
import type { EngineOptions } from '../../src/engine/options.ts';
import type { GenerateRequest, SequenceId } from '../../src/engine/request.ts';
import { ScriptedModel, type ScriptedOptions } from './scripted-model.ts';
import { collect, engineOf, expectedAnswer, request, tokensOf } from './support.ts';

/** One request of each kind of sampling, long enough for several pages. */
const requests: readonly GenerateRequest[] = [
  { temperature: 0 },
  { temperature: 1, seed: 11 },
  { temperature: 0.7, topK: 5, topP: 0.9, seed: 12 },
  { temperature: 1.3, minP: 0.1, repetitionPenalty: 1.2, seed: 13 },
  { temperature: 0.8, presencePenalty: 0.5, frequencyPenalty: 0.2, penaltyWindow: 0, seed: -14 },
].map((sampling, i) => request(i, 50 + 37 * i, { sampling, maxTokens: 80 }));

const expected = requests.map(each => expectedAnswer(each, 32, 512));

async function answers(model: ScriptedOptions, options: EngineOptions, neighbours = 0) {
  const engine = engineOf(new ScriptedModel(model), options);
  const others = Array.from({ length: neighbours }, (_, i) =>
    collect(engine.submit(request(100 + i, 3 + 11 * i, { tenant: `n${i % 3}`, maxTokens: 5 + 9 * i }))),
  );
  const all = await Promise.all(requests.map(each => collect(engine.submit(each))));
  await Promise.all(others);
  await engine.close();
  return all.map(tokensOf);
}

test('a request gets the same tokens alone', async () => {
  for (const [i, each] of requests.entries()) {
    const engine = engineOf(new ScriptedModel());
    assert.deepEqual(tokensOf(await collect(engine.submit(each))), expected[i]);
    await engine.close();
  }
});

test('a request gets the same tokens among 16', async () => {
  assert.deepEqual(await answers({}, {}, 11), expected);
});

test('a request gets the same tokens however its prompt is cut', async () => {
  for (const [maxBatchedTokens, prefillChunk] of [
    [256, 256],
    [40, 7],
    [17, 1],
  ] as const) {
    assert.deepEqual(
      await answers({}, { maxBatchedTokens, prefillChunk }, 3),
      expected,
      `${maxBatchedTokens}/${prefillChunk}`,
    );
  }
});

test('a request gets the same tokens when it is preempted and resumed', async () => {
  const model = new ScriptedModel({ pages: 16 });
  const ended: Promise<void>[] = [];
  const results = new Map<number, number[]>();
  const finished = new Map<number, () => void>();
  const loop = new EngineLoop(model, {}, events => {
    for (const [id, event] of events) {
      if (event.kind === 'token') results.get(id)!.push(event.token);
      else finished.get(id)!();
    }
  });
  for (const [id, each] of requests.entries()) {
    results.set(id, []);
    ended.push(new Promise(resolve => finished.set(id, resolve)));
    loop.submit(id as SequenceId, { ...each, tenant: `t${id % 2}` });
  }
  await Promise.all(ended);
  assert.ok(loop.scheduler.preemptions > 0, 'nothing was preempted: the test shows nothing');
  assert.deepEqual([...results.values()], expected);
  await loop.close();
});

test('a request gets the same tokens with its prefix from the cache', async () => {
  const engine = engineOf(new ScriptedModel());
  for (const [i, each] of requests.entries()) {
    const first = await collect(engine.submit(each));
    const second = await collect(engine.submit(each));
    assert.deepEqual([tokensOf(first), tokensOf(second)], [expected[i], expected[i]]);
    const end = second.at(-1);
    const cachedTokens = Math.floor((each.prompt.length - 1) / 32) * 32;
    assert.deepEqual(end, {
      kind: 'end',
      reason: 'length',
      usage: { promptTokens: each.prompt.length, cachedTokens, completionTokens: 80 },
    });
  }
  await engine.close();
});

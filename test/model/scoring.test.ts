/** Log-probabilities of a real prompt: those of the rows that one pass over it computes, and llama.cpp's as far as the two agree. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { createWasmBackend } from '../../src/backend/wasm/create.ts';
import { createEngine } from '../../src/engine/engine.ts';
import type { EngineEvent, TokenLogprob } from '../../src/engine/request.ts';
import { openGguf } from '../../src/gguf/open.ts';
import { loadModel } from '../../src/model/load.ts';
import type { Model } from '../../src/model/types.ts';
import type { Token } from '../../src/tokenizer/types.ts';
import { evaluate, withLlama } from '../support/llama-cpp.ts';
import { logitsOf } from '../support/logits.ts';

const path = join(process.env.REALM_TEST_MODELS ?? '../shared/models', 'SmolLM2-135M-Instruct.Q4_1.gguf');
const positions = 64;

async function open(maxOutputs: number): Promise<Model> {
  const file = await openGguf(path);
  const model = await loadModel(file, await createWasmBackend(), { kvTokens: 512, maxBatchTokens: 128, maxOutputs });
  await file.close();
  return model;
}

/** ln of the probability of each token but the first, by a softmax over each row of one pass. */
async function byRows(ids: Int32Array): Promise<number[]> {
  const model = await open(positions);
  const segments = [{ start: 0, count: ids.length, position: 0, pages: Int32Array.of(0, 1) }];
  const places = Int32Array.from(ids, (_, i) => i);
  await model.run({ tokens: ids.length, segments, ids, positions: places, outputs: places });
  const logprobs: number[] = [];
  for (let i = 1; i < ids.length; i++) {
    const row = await logitsOf(model, i - 1);
    const best = Math.max(...row);
    const sum = row.reduce((total, logit) => total + Math.exp(logit - best), 0);
    logprobs.push(row[ids[i]!]! - best - Math.log(sum));
  }
  await model.close();
  return logprobs;
}

async function byEngine(ids: Int32Array): Promise<readonly TokenLogprob[][]> {
  const engine = createEngine(await open(9), { backend: 'wasm', fileSize: 0, loadMs: 0 }, { maxRunning: 4 });
  const score = async (tenant: string) => {
    const prompt = Array.from(ids) as Token[];
    const request = { id: tenant, tenant, prompt, maxTokens: 1, sampling: {}, promptLogprobs: 1, topLogprobs: 1 };
    const events: EngineEvent[] = await Array.fromAsync(engine.submit(request));
    return events.flatMap(event => (event.kind === 'prompt' ? event.logprobs : []));
  };
  const alone = await score('a');
  const among = await Promise.all(['a', 'b', 'c'].map(score));
  await engine.close();
  return [alone, ...among];
}

test('a prompt’s log-probabilities on a real model', async t => {
  const text = await readFile('test/fixtures/text/constitution.txt', 'utf8');
  const theirs = await withLlama(path, model =>
    evaluate(model, Int32Array.from(model.tokenize(text, false).slice(0, positions))),
  );
  const ids = theirs.tokens;
  const [ours, ...among] = await byEngine(ids);
  for (const other of among) assert.deepEqual(other, ours, 'the bits depend on the batch');
  const rows = await byRows(ids);
  assert.equal(ours!.length, positions - 1);
  for (const [i, { token, logprob, top }] of ours!.entries()) {
    assert.equal(token, ids[i + 1]);
    assert.ok(Math.abs(logprob - rows[i]!) < 1e-4, `${logprob} is not ${rows[i]}`);
    assert.ok(top[0]!.logprob >= logprob);
  }
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const difference = ours!.map(({ token, logprob }, i) => logprob - Math.log(theirs.probabilities[i]![token]!));
  t.diagnostic(`mean difference to llama.cpp ${mean(difference)}, of sizes ${mean(difference.map(Math.abs))}`);
  // Both round activations to 8 bits, each at its own places.
  assert.ok(Math.abs(mean(difference)) < 0.05 && mean(difference.map(Math.abs)) < 0.2);
});

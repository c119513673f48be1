import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Backend } from '../../src/backend/backend.ts';
import { createReferenceBackend } from '../../src/backend/reference/reference.ts';
import { createWasmBackend } from '../../src/backend/wasm/create.ts';
import { openGguf } from '../../src/gguf/open.ts';
import { loadModel } from '../../src/model/load.ts';
import { type Agreement, agreement, probabilitiesOf } from '../support/agreement.ts';
import { writeFloatCopy } from '../support/float-copy.ts';
import { type Answer, type AnswerOptions, evaluate, withLlama } from '../support/llama-cpp.ts';

const models = process.env.REALM_TEST_MODELS ?? '../shared/models';
const path = join(models, 'SmolLM2-135M-Instruct.Q4_1.gguf');

/**
 * The real model against llama.cpp over real text, in two ways.
 *
 * With its weights as F16 neither engine rounds activations to 8 bits: what is left is whether the same network is computed.
 * As shipped, in Q4_1, both round, each at its own places, and that noise is larger than any bound one would want: llama.cpp
 * with flash attention differs from llama.cpp without by a mean KL of 0.007 and in 4 % of the most likely tokens. So
 * there the measure is llama.cpp itself: we are as near to it as it is to itself.
 */
describe('the real model agrees with llama.cpp', () => {
  let folder: string;
  let floats: string;
  let text: string;
  before(async () => {
    text = await readFile('test/fixtures/text/constitution.txt', 'utf8');
    folder = await mkdtemp(join(tmpdir(), 'realm-agreement-'));
    floats = join(folder, 'f16.gguf');
    await writeFloatCopy(path, floats);
  });
  after(() => rm(folder, { recursive: true }));

  test('F16 weights, 1,024 positions', async t => {
    const theirs = (await llama(floats, text, 1024, {}))[0]!;
    const { sameTop, meanKl, perplexity } = await compare(floats, theirs);
    t.diagnostic(JSON.stringify({ sameTop, meanKl, perplexity }));
    assert.ok(sameTop >= 0.98, `most likely token the same at ${sameTop}`);
    assert.ok(meanKl <= 0.002, `mean KL ${meanKl}`);
    assert.ok(relative(perplexity) <= 0.005, `perplexity ${perplexity}`);
  });

  test('Q4_1 weights, 300 positions: as near as llama.cpp is to itself', async t => {
    const [theirs, withoutFlash] = (await llama(path, text, 300, {}, { flashAttention: false })) as [Answer, Answer];
    const own = agreement(theirs, withoutFlash.probabilities);
    const ours = await compare(path, theirs);
    t.diagnostic(JSON.stringify({ own, ours }));
    assert.ok(ours.meanKl <= 1.3 * own.meanKl, `mean KL ${ours.meanKl}, llama.cpp's own ${own.meanKl}`);
    assert.ok(ours.sameTop >= own.sameTop - 0.02, `same token at ${ours.sameTop}, llama.cpp's own ${own.sameTop}`);
    assert.ok(relative(ours.perplexity) <= 0.02, `perplexity ${ours.perplexity}`);
  });

  test('the reference gives the same bits as the kernels', async () => {
    const ids = Int32Array.from({ length: 9 }, (_, i) => 1000 + 37 * i);
    const expected = await probabilities(path, createReferenceBackend(), ids);
    assert.deepEqual(await probabilities(path, await createWasmBackend(), ids), expected);
  });
});

const relative = ([a, b]: Agreement['perplexity']) => Math.abs(b / a - 1);

/** llama.cpp's answers to the first tokens of a text, one for each of the settings. */
function llama(file: string, text: string, positions: number, ...settings: AnswerOptions[]): Promise<Answer[]> {
  return withLlama(file, async model => {
    const tokens = Int32Array.from(model.tokenize(text, false).slice(0, positions));
    assert.equal(tokens.length, positions);
    const answers: Answer[] = [];
    for (const options of settings) answers.push(await evaluate(model, tokens, options));
    return answers;
  });
}

async function compare(file: string, theirs: Answer): Promise<Agreement> {
  return agreement(theirs, await probabilities(file, await createWasmBackend(), theirs.tokens));
}

async function probabilities(name: string, backend: Backend, tokens: Int32Array): Promise<Float32Array[]> {
  const file = await openGguf(name);
  const model = await loadModel(file, backend, { kvTokens: tokens.length, maxBatchTokens: 64, maxOutputs: 64 });
  await file.close();
  try {
    return await probabilitiesOf(model, tokens);
  } finally {
    await model.close();
  }
}

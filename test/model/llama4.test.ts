/** Llama 4 behind its first chunk: what tokens see there, and how queries are sharpened. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { writeGguf } from '../../scripts/synthetic/gguf-writer.ts';
import { syntheticModel } from '../../scripts/synthetic/model.ts';
import { random } from '../../src/backend/parity/data.ts';
import { createWasmBackend } from '../../src/backend/wasm/create.ts';
import { openGguf } from '../../src/gguf/open.ts';
import { loadModel } from '../../src/model/load.ts';
import { agreement, probabilitiesOf } from '../support/agreement.ts';
import { evaluate, withLlama } from '../support/llama-cpp.ts';

const [chunk, behind] = [8192, 40];
const limits = { kvTokens: chunk + 256, maxBatchTokens: 512, maxOutputs: 512 };
const shape = { width: 64, heads: 2, kvHeads: 1, ffn: 64, vocab: 400, layers: 4, experts: 2, context: 2 * chunk };

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'realm-llama4-'));
});
after(() => rm(folder, { recursive: true }));

test('tokens behind the first chunk have the probabilities that they have in llama.cpp', async () => {
  const path = join(folder, 'llama4.gguf');
  writeGguf(path, syntheticModel({ architecture: 'llama4', quant: 'F16', with: shape }));
  const model = await loadModel(await openGguf(path), await createWasmBackend({ threads: 2 }), limits);
  const next = random(1);
  const tokens = Int32Array.from({ length: chunk + behind }, () => next() * model.vocabSize);
  const ours = await probabilitiesOf(model, tokens);
  await model.close();
  const { probabilities } = await withLlama(path, llama => evaluate(llama, tokens));
  const difference = (from: number, to: number) => {
    const theirs = { tokens: tokens.subarray(from, to), probabilities: probabilities.slice(from, to) };
    return agreement(theirs, ours.slice(from, to)).logDifference;
  };
  assert.ok(difference(chunk - behind, chunk) < 0.005, 'the end of the first chunk');
  assert.ok(difference(chunk - 1, chunk) < 0.005, 'its last token, whose queries are sharpened');
  // What sees few tokens in some layers and thousands in others has larger scores, which llama.cpp rounds to 16 bits.
  assert.ok(difference(chunk, chunk + behind) < 0.04, 'the second chunk');
});

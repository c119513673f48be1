/** Models whose layers are of other kinds than llama's: a GPU has the CPU's logits, in any batch and chunking. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ArchitectureName } from '../../scripts/synthetic/architectures.ts';
import { encodeGguf } from '../../scripts/synthetic/gguf-writer.ts';
import { syntheticModel } from '../../scripts/synthetic/model.ts';
import type { Backend } from '../../src/backend/backend.ts';
import { SplitBackend } from '../../src/backend/split/backend.ts';
import { splitAt } from '../../src/backend/split/placement.ts';
import { createWasmBackend } from '../../src/backend/wasm/create.ts';
import { createWebGpuBackend } from '../../src/backend/webgpu/backend.ts';
import { memoryReader } from '../../src/gguf/memory-reader.ts';
import { openGguf } from '../../src/gguf/open.ts';
import { loadModel } from '../../src/model/load.ts';
import type { Model } from '../../src/model/types.ts';
import { logitsInChunks } from '../support/in-chunks.ts';
import { textStates } from '../support/text-states.ts';

const small = {
  width: 64,
  heads: 4,
  kvHeads: 2,
  ffn: 96,
  vocab: 400,
  layers: 3,
  interval: 3,
  context: 64,
  window: 9,
};
/** Heads that rotate a quarter; a layer with a window and one without. */
const others: Partial<Record<ArchitectureName, object>> = { qwen35: { headWidth: 32 }, 'gpt-oss': { layers: 2 } };
const limits = { kvTokens: 512, maxBatchTokens: 64, maxOutputs: 4, stateSlots: 12 };

function loaded(architecture: ArchitectureName, quant: 'Q4_0' | 'MXFP4_MOE') {
  const bytes = encodeGguf(syntheticModel({ architecture, quant, with: { ...small, ...others[architecture] } }));
  return async (backend: Backend): Promise<Model> =>
    loadModel(await openGguf(memoryReader(bytes, 'small.gguf')), backend, limits);
}

const tokens = Int32Array.from({ length: 21 }, (_, i) => (i * 97 + 5) % 400);
const cpu = () => createWasmBackend({ threads: 1 });

async function logits(
  model: Model,
  ...cuts: readonly (readonly [ends: readonly number[], others: number])[]
): Promise<Float32Array[]> {
  const all = [];
  for (const [ends, others] of cuts) all.push(await logitsInChunks(model, tokens, ends, others));
  await model.close();
  return all;
}

for (const [architecture, quant] of [
  ['qwen35', 'Q4_0'],
  ['lfm2', 'Q4_0'],
  ['nemotron_h', 'Q4_0'],
  ['gpt-oss', 'MXFP4_MOE'],
] as const)
  test(`${architecture} in ${quant}`, async () => {
    const load = loaded(architecture, quant);
    const [wanted] = await logits(await load(await cpu()), [[21], 0]);
    assert.ok(wanted!.every(Number.isFinite) && new Set(wanted).size > 300);
    const gpu = await createWebGpuBackend();
    for (const found of await logits(await load(gpu), [[1, 2, 7, 20, 21], 3], [[16, 21], 5]))
      assert.deepEqual(found, wanted);
    if (architecture !== 'qwen35') return;
    const halves = new SplitBackend([await cpu(), await createWebGpuBackend()], splitAt(1, false));
    assert.deepEqual(await logits(await load(halves), [[16, 21], 5]), [wanted]);
  });

for (const architecture of ['bert', 'gemmaEmbedding'] as const)
  test(`${architecture}, its texts together and alone`, async () => {
    const texts = [3, 40, 1].map((length, seed) => Int32Array.from({ length }, (_, i) => (seed * 97 + i * 31) % 400));
    const load = loaded(architecture, 'Q4_0');
    const models = [await load(await cpu()), await load(await createWebGpuBackend())] as const;
    const [wanted, found] = await Promise.all(models.map(model => textStates(model, texts)));
    assert.deepEqual(found, wanted);
    assert.deepEqual(await textStates(models[1], texts.slice(1, 2)), wanted!.slice(1, 2));
    for (const model of models) await model.close();
  });

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { encodeGguf } from '../../scripts/synthetic/gguf-writer.ts';
import { syntheticModel } from '../../scripts/synthetic/model.ts';
import type { Backend, CacheType } from '../../src/backend/backend.ts';
import { createReferenceBackend } from '../../src/backend/reference/reference.ts';
import { createWasmBackend, type WasmBackendOptions } from '../../src/backend/wasm/create.ts';
import { memoryReader } from '../../src/gguf/memory-reader.ts';
import { openGguf } from '../../src/gguf/open.ts';
import { variants } from '../../src/kernels/module.ts';
import { loadModel } from '../../src/model/load.ts';
import type { Model } from '../../src/model/types.ts';
import { logitsInChunks } from '../support/in-chunks.ts';
import { withScales } from '../support/with-scales.ts';

const shape = { width: 256, heads: 4, kvHeads: 2, ffn: 512, vocab: 400 };
const bytes = encodeGguf(syntheticModel({ quant: 'Q4_K_M', with: { ...shape, layers: 8 } }));
const mixtures = (['mixtral', 'qwen3moe', 'qwen2moe', 'glm4moe', 'gpt-oss'] as const).map(architecture => ({
  architecture,
  bytes: encodeGguf(syntheticModel({ architecture, quant: 'Q4_K_M', with: { ...shape, ffn: 256, layers: 2 } })),
}));

const scaled = (['qwen3moe', 'gpt-oss'] as const).map(architecture => ({
  architecture: `${architecture} with scales`,
  bytes: encodeGguf(
    withScales(syntheticModel({ architecture, quant: 'NVFP4', with: { ...shape, ffn: 256, layers: 2 } })),
  ),
}));
const mamba = ['nemotron_h', 'nemotron_h_moe', 'granitehybrid', 'granitehybridMoe'] as const;
const withState = (['lfm2', 'qwen35', 'qwen35moe', 'qwen3next', 'lfm2moe', ...mamba] as const).map(architecture => ({
  architecture,
  bytes: encodeGguf(
    syntheticModel({
      architecture,
      quant: 'Q4_K_M',
      with: { ...shape, ffn: 256, layers: 3, interval: 3, latentWidth: 128 },
    }),
  ),
}));
const gemma4 = (['gemma4-e2b', 'gemma4-a4b'] as const).map(architecture => ({
  architecture,
  bytes: encodeGguf(
    syntheticModel({
      architecture,
      quant: 'Q4_K_M',
      with: { ...shape, ffn: 512, layers: 6, window: 5, perLayerWidth: 256 },
    }),
  ),
}));
const latent = (['deepseek2', 'deepseek2-v3', 'mistral4'] as const).map((architecture, i) => ({
  architecture,
  bytes: encodeGguf(
    syntheticModel({
      architecture,
      quant: 'Q4_K_M',
      with: { ...shape, ffn: 256, layers: 2, ...(i > 0 && { heads: 6 }) },
    }),
  ),
}));
const others = (['llama4', 'cohere2', 'starcoder2', 'hunyuan-moe'] as const).map(architecture => ({
  architecture,
  bytes: encodeGguf(
    syntheticModel({ architecture, quant: 'Q4_K_M', with: { ...shape, ffn: 256, layers: 4, window: 5 } }),
  ),
}));
const tokens = Int32Array.from({ length: 21 }, (_, i) => (i * 97 + 5) % 400);
const sequences = 16;
const limits = { kvTokens: 32 * sequences, maxBatchTokens: 128, maxOutputs: sequences, stateSlots: 2 * sequences };

async function load(backend: Backend, kvType: CacheType = 'F16', model = bytes): Promise<Model> {
  const file = await openGguf(memoryReader(model, 'bits.gguf'));
  return loadModel(file, backend, { kvType, ...limits });
}

const logits = (model: Model, ends: readonly number[], others: number) => logitsInChunks(model, tokens, ends, others);

let wantedF16: Float32Array;
let wantedQ8: Float32Array;

before(async () => {
  for (const type of ['F16', 'Q8_0'] as const) {
    const model = await load(createReferenceBackend(), type);
    const wanted = await logits(model, [tokens.length], 0);
    assert.ok(wanted.every(Number.isFinite) && new Set(wanted).size > 300);
    if (type === 'F16') wantedF16 = wanted;
    else wantedQ8 = wanted;
    await model.close();
  }
});

async function same(options: WasmBackendOptions, kvType?: CacheType): Promise<void> {
  const model = await load(await createWasmBackend(options), kvType);
  await agrees(model, kvType === 'Q8_0' ? wantedQ8 : wantedF16);
  await model.close();
}

async function agrees(model: Model, wanted: Float32Array): Promise<void> {
  assert.deepEqual(await logits(model, [21], 0), wanted, 'alone, at once');
  assert.deepEqual(await logits(model, [1, 2, 7, 20, 21], 0), wanted, 'alone, in chunks');
  assert.deepEqual(await logits(model, [16, 21], 15), wanted, 'the last chunk in a batch of 16');
  assert.deepEqual(await logits(model, [20, 21], 15), wanted, 'the last token in a batch of 16');
}

for (const { name } of variants)
  for (const threads of [1, 2])
    test(`${name}, ${threads} threads: a sequence has the reference's logits in any batch and chunking`, () =>
      same({ variant: name, threads }));

test('so it does with an 8-bit cache, whose logits are near those of F16', async () => {
  await same({ threads: 2 }, 'Q8_0');
  const error = Math.hypot(...wantedQ8.map((x, i) => x - wantedF16[i]!)) / Math.hypot(...wantedF16);
  assert.ok(error > 0 && error < 0.05, `relative error ${error}`);
});

test('so it does when the weights take several memories', async () => {
  const options = { variant: 'relaxed', threads: 2, memoryPages: 1210 };
  const backend = await createWasmBackend(options);
  const model = await load(backend);
  assert.ok(backend.memories >= 3, `${backend.memories} memories`);
  await model.close();
  await same(options);
});

/** Of several memories; the states of one layer must fit one. */
const memoryPages = (architecture: string) => (mamba.some(each => each === architecture) ? 1240 : 1210);

for (const { architecture, bytes } of [...mixtures, ...scaled, ...withState, ...gemma4, ...latent, ...others]) {
  test(`${architecture} has the reference's logits in any batch and chunking`, async () => {
    const reference = await load(createReferenceBackend(), 'F16', bytes);
    const wanted = await logits(reference, [tokens.length], 0);
    assert.ok(wanted.every(Number.isFinite) && new Set(wanted).size > 300);
    for (const options of [
      { threads: 1 },
      { threads: 2 },
      { threads: 2, variant: 'plain', memoryPages: memoryPages(architecture) },
    ]) {
      const model = await load(await createWasmBackend(options), 'F16', bytes);
      await agrees(model, wanted);
      await model.close();
    }
  });
}

/** Encoders: each text sees its own alone, whatever is beside it; files that do not fit are refused. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type ArchitectureName, recipes } from '../../scripts/synthetic/architectures.ts';
import { encodeGguf, type GgufModel, type MetaValue } from '../../scripts/synthetic/gguf-writer.ts';
import { syntheticModel } from '../../scripts/synthetic/model.ts';
import type { Backend, Feature } from '../../src/backend/backend.ts';
import { createReferenceBackend } from '../../src/backend/reference/reference.ts';
import { createWasmBackend } from '../../src/backend/wasm/create.ts';
import { bench } from '../../src/bench/bench.ts';
import { openModel } from '../../src/engine/open-model.ts';
import { memoryReader } from '../../src/gguf/memory-reader.ts';
import { openGguf } from '../../src/gguf/open.ts';
import { memoryNeeded } from '../../src/llm/memory.ts';
import { loadModel } from '../../src/model/load.ts';
import type { Model } from '../../src/model/types.ts';
import { textStates } from '../support/text-states.ts';

const small = { width: 64, heads: 4, kvHeads: 2, ffn: 96, vocab: 400, layers: 2, context: 64 };
const encoders = ['bert', 'nomicBert', 'gemmaEmbedding'] satisfies ArchitectureName[];

const synthetic = (architecture: ArchitectureName, metadata: Record<string, MetaValue> = {}): GgufModel =>
  syntheticModel({ architecture, quant: 'Q4_0', with: small, metadata });

async function load(model: GgufModel, backend: Backend = createReferenceBackend()): Promise<Model> {
  const file = await openGguf(memoryReader(encodeGguf(model), 'small.gguf'));
  return loadModel(file, backend, { kvTokens: 512, maxBatchTokens: 128, maxOutputs: 16 });
}

const texts = [3, 40, 1, 12].map((length, seed) => Int32Array.from({ length }, (_, i) => (seed * 97 + i * 31) % 400));

for (const architecture of encoders) {
  test(`${architecture}: neighbours change no bit, and the CPU has those of the reference`, async () => {
    const window = { [`${recipes[architecture].name}.attention.sliding_window`]: { type: 'u32', value: 9 } as const };
    const models = [await load(synthetic(architecture, window))];
    models.push(await load(synthetic(architecture, window), await createWasmBackend({ threads: 2 })));
    const expected = await textStates(models[0]!, texts);
    for (const model of models) {
      assert.deepEqual(await textStates(model, texts), expected);
      for (const [i, text] of texts.entries()) assert.deepEqual((await textStates(model, [text]))[0], expected[i]);
    }
    // The first token's state knows the last one.
    const changed = Int32Array.from(texts[3]!, (id, i) => (i === 11 ? id + 1 : id));
    const [other] = await textStates(models[0]!, [changed]);
    assert.notDeepEqual(other!.subarray(0, small.width), expected[3]!.subarray(0, small.width));
    for (const model of models) await model.close();
  });
}

describe('what does not fit is refused by name', () => {
  const without = (model: GgufModel, name: string): GgufModel => {
    return { ...model, tensors: model.tensors.filter(tensor => tensor.name !== name) };
  };
  const shaped = (model: GgufModel, name: string, shape: readonly number[]): GgufModel => {
    return { ...model, tensors: model.tensors.map(each => (each.name === name ? { ...each, shape } : each)) };
  };
  const u32 = (value: number): MetaValue => ({ type: 'u32', value });
  const cases: [title: string, model: GgufModel, message: RegExp][] = [
    [
      'no norm behind attention',
      without(synthetic('bert'), 'blk.1.attn_output_norm.bias'),
      /blk.1.attn_output_norm.bias is missing/,
    ],
    [
      'positions for another context',
      synthetic('bert', { 'bert.context_length': u32(63) }),
      /position_embd.weight has shape \[64, 64\], expected \[64, 63\]/,
    ],
    ['no types of tokens', synthetic('bert', { 'tokenizer.ggml.token_type_count': u32(0) }), /token_type_count" is 0/],
    [
      'other types of tokens',
      synthetic('bert', { 'tokenizer.ggml.token_type_count': u32(3) }),
      /token_types.weight has shape \[64, 2\], expected \[64, 3\]/,
    ],
    [
      'an infinite epsilon',
      synthetic('bert', { 'bert.attention.layer_norm_epsilon': { type: 'f32', value: Infinity } }),
      /layer_norm_epsilon" .* finite/,
    ],
    [
      'a head without scores',
      without(synthetic('bertReranker'), 'cls.output.weight'),
      /cls.output.weight is missing; expected one of shape \[64, 1\]/,
    ],
    [
      'a head of another width',
      shaped(synthetic('bertReranker'), 'cls.weight', [32, 128]),
      /cls.weight has shape \[32, 128\], expected \[64, 64\]/,
    ],
    [
      'dense layers of another width',
      synthetic('gemmaEmbedding', { 'gemma-embedding.dense_2_feat_out': u32(32) }),
      /dense_2.weight has shape \[64, 640\], expected \[64, 32\]/,
    ],
  ];
  for (const [title, model, message] of cases)
    test(title, () => assert.rejects(load(model), { code: 'model_invalid', message }));

  test('a backend that cannot attend both ways', async () => {
    const backend = createReferenceBackend();
    const traits = { ...backend.traits, features: new Set<Feature>() };
    const lacking = Object.assign(Object.create(backend) as Backend, { traits, close: () => backend.close() });
    const error = { code: 'kernel_unavailable', message: /attention to what follows .* --device cpu/ };
    await assert.rejects(load(synthetic('nomicBert'), lacking), error);
  });
});

test('a batch holds the longest text, whatever was asked for', async () => {
  const file = new Blob([encodeGguf(synthetic('bert'))]);
  for (const [context, most] of [
    [undefined, 64],
    [40, 40],
  ] as const) {
    const { model } = await openModel({ file, backend: 'reference', maxBatchedTokens: 16, context });
    assert.deepEqual([model.maxBatchTokens, model.encoder], [most, true]);
    // Room for a page that is not full of each text that runs.
    assert.equal(model.pages, Math.ceil(most / 32) + 16);
    await model.close();
  }
});

test('a benchmark of an encoder embeds texts, and its cache is one layer', async () => {
  const model = await load(synthetic('bert'));
  const work = { prompt: 512, gen: 64, batches: [8], depths: [0], reps: 1 };
  const [result, ...others] = await bench(model, work, undefined, 0);
  assert.deepEqual([result?.test, others], ['embed128', []]);
  await model.close();
  const need = memoryNeeded(await openGguf(memoryReader(encodeGguf(synthetic('bert')), 'small.gguf')));
  // 64 tokens, keys and values of two heads of 16, two bytes each.
  assert.equal('kvCache' in need && need.kvCache, 64 * 2 * 2 * 16 * 2);
});

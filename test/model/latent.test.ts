import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ArchitectureName } from '../../scripts/synthetic/architectures.ts';
import { encodeGguf, type GgufModel, type MetaValue, type TensorPlan } from '../../scripts/synthetic/gguf-writer.ts';
import { type SyntheticOptions, syntheticModel } from '../../scripts/synthetic/model.ts';
import type { Backend } from '../../src/backend/backend.ts';
import { lacking } from '../../src/backend/lacking.ts';
import { createReferenceBackend } from '../../src/backend/reference/reference.ts';
import { createWasmBackend } from '../../src/backend/wasm/create.ts';
import { memoryReader } from '../../src/gguf/memory-reader.ts';
import { openGguf } from '../../src/gguf/open.ts';
import { memoryNeeded } from '../../src/llm/memory.ts';
import { loadModel } from '../../src/model/load.ts';
import type { Model } from '../../src/model/types.ts';
import { logitsOf } from '../support/logits.ts';

const small = { width: 64, heads: 4, ffn: 96, vocab: 400, layers: 2, latentWidth: 64 };
const u32 = (value: number): MetaValue => ({ type: 'u32', value });
const f32 = (value: number): MetaValue => ({ type: 'f32', value });

const open = (model: GgufModel) => openGguf(memoryReader(encodeGguf(model), 'latent.gguf'));

async function load(model: GgufModel, backend: Backend = createReferenceBackend()): Promise<Model> {
  return loadModel(await open(model), backend, { kvTokens: 64, maxBatchTokens: 16, maxOutputs: 16 });
}

function synthetic(metadata: Record<string, MetaValue> = {}, options: SyntheticOptions = {}): GgufModel {
  const prefixed = Object.fromEntries(Object.entries(metadata).map(([key, value]) => [`deepseek2.${key}`, value]));
  return syntheticModel({ architecture: 'deepseek2', quant: 'F16', with: small, metadata: prefixed, ...options });
}

const changed = (model: GgufModel, change: (tensor: TensorPlan) => readonly TensorPlan[]): GgufModel => {
  return { ...model, tensors: model.tensors.flatMap(change) };
};

async function logits(model: GgufModel, backend?: Backend): Promise<Float32Array> {
  const loaded = await load(model, backend);
  await loaded.run({
    tokens: 5,
    ids: Int32Array.of(5, 7, 9, 11, 300),
    positions: Int32Array.of(0, 1, 2, 3, 4),
    outputs: Int32Array.of(4),
    segments: [{ start: 0, count: 5, position: 0, pages: Int32Array.of(1) }],
  });
  const row = await logitsOf(loaded, 0);
  await loaded.close();
  return row;
}

describe('sizes that latent attention cannot have are refused with their numbers', () => {
  const cases: [key: string, value: MetaValue, message: RegExp][] = [
    ['attention.kv_lora_rank', u32(0), /kv_lora_rank" is 0/],
    ['attention.kv_lora_rank', u32(1 << 20), /from 1 to 1024/],
    ['attention.kv_lora_rank', u32(32), /key_length" is 96; .*kv_lora_rank makes it 64/],
    ['attention.key_length', u32(64), /key_length" is 64; .*kv_lora_rank makes it 96/],
    ['attention.value_length', u32(96), /value_length" is 96; .*kv_lora_rank makes it 64/],
    ['attention.key_length_mla', u32(32), /dimension_count" is 32, which leaves nothing of heads of 32/],
    ['attention.key_length_mla', u32(0), /key_length_mla" is 0/],
    ['attention.value_length_mla', u32(0), /value_length_mla" is 0/],
    ['attention.q_lora_rank', u32(1 << 20), /from 0 to/],
    ['rope.dimension_count', u32(0), /dimension_count" is 0/],
    ['rope.dimension_count', u32(31), /is 31 and must be even/],
    ['rope.scaling.yarn_log_multiplier', f32(-1), /from 0 to/],
    ['attention.temperature_scale', f32(0.1), /temperature_length" is missing/],
    ['attention.temperature_scale', f32(Number.NaN), /must be finite/],
    ['attention.key_length_mla', u32(97), /is 97 and must be even/],
    ['leading_dense_block_count', u32(3), /from 0 to 2/],
    ['expert_shared_count', u32(65), /from 0 to 64/],
  ];
  for (const [key, value, message] of cases) {
    test(`${key} ${JSON.stringify(value)}`, async () => {
      await assert.rejects(load(synthetic({ [key]: value })), { code: 'model_invalid', message });
    });
  }

  const tensors: [name: string, architecture: ArchitectureName][] = [
    ['attn_q', 'deepseek2'],
    ['attn_kv_a_mqa', 'deepseek2'],
    ['attn_kv_a_norm', 'deepseek2'],
    ['attn_k_b', 'deepseek2'],
    ['attn_v_b', 'deepseek2'],
    ['attn_q_a', 'deepseek2-v3'],
    ['attn_q_a_norm', 'deepseek2-v3'],
    ['attn_q_b', 'deepseek2-v3'],
  ];
  for (const [name, architecture] of tensors) {
    test(`${name} of another shape, and none`, async () => {
      const model = synthetic({}, { architecture, with: { ...small, ...(architecture !== 'deepseek2' && ranked) } });
      const message = new RegExp(`blk.1.${name}.weight`);
      const wider = changed(model, ({ shape: [columns, ...rest], bytes, ...tensor }) => {
        if (tensor.name !== `blk.1.${name}.weight`) return [{ ...tensor, bytes, shape: [columns!, ...rest] }];
        return [{ ...tensor, shape: [columns! * 2, ...rest], bytes: () => [...bytes(), ...bytes()] }];
      });
      await assert.rejects(load(wider), { code: 'model_invalid', message });
      const without = changed(model, tensor => (tensor.name === `blk.1.${name}.weight` ? [] : [tensor]));
      await assert.rejects(load(without), { code: 'model_invalid', message });
    });
  }
});

const ranked = { queryRank: 64 };

test('a file of before the matrices were cut in two gives the same logits', async () => {
  const apart = synthetic();
  const old = changed(apart, tensor => {
    if (tensor.name.endsWith('attn_v_b.weight')) return [];
    if (!tensor.name.endsWith('attn_k_b.weight')) return [tensor];
    return [fused(tensor, apart.tensors.find(({ name }) => name === tensor.name.replace('attn_k_b', 'attn_v_b'))!)];
  });
  const metadata = new Map(old.metadata);
  for (const key of ['key_length', 'value_length']) {
    metadata.set(`deepseek2.attention.${key}`, metadata.get(`deepseek2.attention.${key}_mla`)!);
    metadata.delete(`deepseek2.attention.${key}_mla`);
  }
  metadata.set('deepseek2.attention.head_count_kv', u32(small.heads));
  assert.deepEqual(await logits({ ...old, metadata }), await logits(apart));
});

/** Each head's rows of keys, and those of values behind them. */
function fused(key: TensorPlan, value: TensorPlan): TensorPlan {
  const [plain, latent, heads] = key.shape as [number, number, number];
  const width = value.shape[1]!;
  const [keys, values] = [key, value].map(({ bytes }) => new Uint16Array(Buffer.concat([...bytes()]).buffer.slice(0)));
  const all = new Uint16Array(heads * (plain + width) * latent);
  for (let head = 0; head < heads; head++) {
    const at = head * (plain + width) * latent;
    for (let i = 0; i < plain; i++)
      for (let l = 0; l < latent; l++) all[at + i * latent + l] = keys![(head * latent + l) * plain + i]!;
    all.set(values!.subarray(head * width * latent, (head + 1) * width * latent), at + plain * latent);
  }
  const name = key.name.replace('attn_k_b', 'attn_kv_b');
  return { name, type: 'F16', shape: [latent, heads * (plain + width)], bytes: () => [new Uint8Array(all.buffer)] };
}

test('blocks that guess ahead are left in the file', async () => {
  const plain = synthetic({}, { architecture: 'deepseek2-v3', with: { ...small, ...ranked } });
  const predicting = synthetic({}, { architecture: 'deepseek2-v3', with: { ...small, ...ranked, predicting: 1 } });
  assert.deepEqual(await logits(predicting), await logits(plain));
});

test('a model of dense layers alone needs no experts', async () => {
  const dense = synthetic({}, { with: { ...small, denseLayers: 2 } });
  const metadata = new Map([...dense.metadata].filter(([key]) => !key.includes('expert')));
  assert.deepEqual(await logits({ ...dense, metadata }), await logits(dense));
});

test('the cache holds a latent of each token and what is rotated, once, as is said before the model is loaded', async () => {
  const file = synthetic();
  const need = memoryNeeded(await open(file), 32);
  assert.ok('kvCache' in need);
  assert.equal(need.kvCache, 32 * 2 * 2 * (64 + 32));
  const model = await load(file, await createWasmBackend({ threads: 1 }));
  assert.equal(model.pageBytes, need.kvCache);
  await model.close();
});

test('a device without latent attention refuses the model before it loads any weight', async () => {
  const backend = createReferenceBackend();
  const gpu = new Proxy(backend, {
    get: (target, key) => {
      if (key === 'traits') return { ...target.traits, features: new Set() };
      if (key === 'matrix') assert.fail('a weight is loaded');
      return Reflect.get(target, key).bind?.(target) ?? Reflect.get(target, key);
    },
  });
  await assert.rejects(load(synthetic(), gpu), { message: lacking('latent').message });
});

/** Architectures whose layers keep a state: what does not fit is refused before anything is computed. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ArchitectureName } from '../../scripts/synthetic/architectures.ts';
import { encodeGguf, type GgufModel, type MetaValue, type TensorPlan } from '../../scripts/synthetic/gguf-writer.ts';
import { syntheticModel } from '../../scripts/synthetic/model.ts';
import { createReferenceBackend } from '../../src/backend/reference/reference.ts';
import { memoryReader } from '../../src/gguf/memory-reader.ts';
import { openGguf } from '../../src/gguf/open.ts';
import { describeModel, loadModel } from '../../src/model/load.ts';
import { probabilitiesOf } from '../support/agreement.ts';

const limits = { kvTokens: 64, maxBatchTokens: 16, maxOutputs: 16, stateSlots: 2 };
const small = { width: 64, heads: 4, kvHeads: 2, ffn: 96, vocab: 400, layers: 2 };

const open = (model: GgufModel) => openGguf(memoryReader(encodeGguf(model), 'small.gguf'));
const load = async (model: GgufModel) => loadModel(await open(model), createReferenceBackend(), limits);
const synthetic = (architecture: ArchitectureName, metadata: Record<string, MetaValue> = {}) =>
  syntheticModel({
    architecture,
    quant: 'Q4_0',
    with: architecture.startsWith('nemotron') ? { ...small, layers: 3 } : small,
    metadata,
  });

const u32 = (value: number): MetaValue => ({ type: 'u32', value });
const i32s = (...values: number[]): MetaValue => ({ array: 'i32', values });
const flags = (...values: boolean[]): MetaValue => ({ array: 'bool', values });

describe('metadata that no state can be made of is refused by its key', () => {
  const cases: [architecture: ArchitectureName, key: string, value: MetaValue, message: RegExp][] = [
    ['lfm2', 'shortconv.l_cache', u32(1), /l_cache" is 1 and must be from 2 to 4/],
    ['lfm2', 'shortconv.l_cache', u32(5), /l_cache" is 5 and must be from 2 to 4/],
    ['lfm2', 'attention.head_count_kv', i32s(0, 0), /is 0 in every layer/],
    ['lfm2', 'attention.head_count_kv', i32s(1, 2), /has layers of 1 and of 2 heads/],
    ['lfm2', 'attention.head_count_kv', i32s(0, 2, 0), /has 3 elements and must have 2/],
    ['lfm2', 'attention.causal', { type: 'bool', value: false }, /causal" is false/],
    ['qwen35', 'ssm.conv_kernel', u32(1), /conv_kernel" is 1 and must be from 2 to 4/],
    ['qwen35', 'ssm.group_count', u32(0), /group_count" is 0/],
    ['qwen35', 'ssm.group_count', u32(3), /is 4, no multiple of the 3 heads of keys/],
    ['qwen35', 'ssm.state_size', u32(0), /state_size" is 0/],
    ['qwen35', 'ssm.state_size', u32(24), /is 24, which must be a multiple of 16/],
    ['qwen35', 'ssm.state_size', u32(512), /from 1 to 256/],
    ['qwen35', 'ssm.inner_size', u32(96), /is 96; 4 heads of 32 have 128 values/],
    ['qwen35', 'ssm.time_step_rank', u32(2 ** 31), /from 1 to 1024/],
    ['qwen35', 'full_attention_interval', u32(0), /interval" is 0/],
    ['qwen35', 'full_attention_interval', u32(3), /is 3, of 2 layers; one at least must attend/],
    ['qwen35', 'attention.recurrent_layers', flags(true, true), /is true for all 2 layers/],
    ['qwen35', 'attention.recurrent_layers', flags(true), /has 1 layers of 2/],
    ['qwen35', 'attention.recurrent_layers', u32(1), /must be an array/],
    ['qwen35', 'nextn_predict_layers', u32(2), /from 0 to 1/],
    ['granitehybrid', 'ssm.conv_kernel', u32(5), /conv_kernel" is 5 and must be from 2 to 4/],
    ['granitehybrid', 'ssm.group_count', u32(3), /group_count" is 3, which does not divide 4 heads/],
    ['granitehybrid', 'ssm.group_count', u32(8), /group_count" is 8 and must be from 1 to 4/],
    ['granitehybrid', 'ssm.time_step_rank', u32(0), /time_step_rank" is 0/],
    ['granitehybrid', 'ssm.time_step_rank', u32(12), /inner_size" is 128, no multiple of the 12 heads/],
    [
      'granitehybrid',
      'ssm.time_step_rank',
      u32(32),
      /inner_size" makes heads .* side of 4, which must be a multiple of 8/,
    ],
    [
      'granitehybrid',
      'ssm.state_size',
      u32(12),
      /state_size" makes heads .* side of 12, which must be a multiple of 8/,
    ],
    ['granitehybrid', 'ssm.state_size', u32(4096), /state_size" is 4096 and must be from 1 to 1024/],
    ['granitehybrid', 'ssm.inner_size', u32(2 ** 31), /inner_size" is 2147483648/],
    ['granitehybrid', 'attention.head_count_kv', i32s(0, 0), /is 0 in every layer/],
    ['nemotron_h', 'attention.head_count_kv', i32s(0, 0, 0), /is 0 in every layer/],
    ['nemotron_h', 'attention.head_count_kv', i32s(0, 1, 2), /has layers of 1 and of 2 heads/],
    ['nemotron_h', 'feed_forward_length', i32s(0, 0, 0), /is 0 in every layer/],
    ['nemotron_h', 'feed_forward_length', i32s(0, 96), /has 2 elements and must have 3/],
    ['nemotron_h', 'attention.layer_norm_rms_epsilon', { type: 'f32', value: 2 }, /rms_epsilon" is 2/],
  ];
  for (const [architecture, key, value, message] of cases)
    test(`${architecture}: ${key} ${JSON.stringify(value)}`, async () => {
      const file = await open(synthetic(architecture, { [`${architecture}.${key}`]: value }));
      assert.throws(() => describeModel(file), { code: 'model_invalid', message });
      await assert.rejects(loadModel(file, createReferenceBackend(), limits), { code: 'model_invalid', message });
    });

  test('a state of more values than there is room for', async () => {
    const sizes = { 'ssm.time_step_rank': 1024, 'ssm.state_size': 256, 'ssm.inner_size': 1024 * 256 };
    for (const architecture of ['qwen35', 'nemotron_h'] as const) {
      const metadata = Object.entries(sizes).map(([key, value]) => [`${architecture}.${key}`, u32(value)]);
      const message = /state_size" makes a state of 6789\d{4} values a layer; 67108864 are supported/;
      const model = synthetic(architecture, Object.fromEntries(metadata));
      await assert.rejects(load(model), { code: 'model_invalid', message });
    }
  });

  test('experts of a wider stream, none, or none that are shared', async () => {
    const cases: [key: string, value: MetaValue, message: RegExp][] = [
      ['moe_latent_size', u32(32), /ffn_up_exps.weight has shape \[64, 96, 8\], expected \[32, 96, 8\]/],
      ['expert_count', u32(0), /expert_count" is 0/],
      ['expert_shared_feed_forward_length', u32(0), /expert_shared_feed_forward_length" is 0/],
      ['expert_feed_forward_length', i32s(0, 96, 0), /expert_feed_forward_length" is 0/],
      ['moe_latent_size', u32(65), /moe_latent_size" is 65 and must be from 0 to 64/],
    ];
    for (const [key, value, message] of cases) {
      const model = synthetic('nemotron_h_moe', { [`nemotron_h_moe.${key}`]: value });
      await assert.rejects(load(model), { code: 'model_invalid', message });
    }
  });
});

describe('tensors that do not fit are refused by name', () => {
  const cases: [architecture: ArchitectureName, name: string, change: Partial<TensorPlan> | undefined, RegExp][] = [
    ['lfm2', 'token_embd_norm.weight', undefined, /is missing; expected one of shape \[64\]/],
    ['lfm2', 'blk.0.shortconv.conv.weight', { shape: [64, 3] }, /has shape \[64, 3\], expected \[3, 64\]/],
    ['lfm2', 'blk.0.shortconv.in_proj.weight', { shape: [192, 64] }, /has shape \[192, 64\], expected \[64, 192\]/],
    ['qwen35', 'blk.0.ssm_a', undefined, /is missing; expected one of shape \[4\]/],
    ['qwen35', 'blk.0.ssm_dt.bias', { shape: [2, 2] }, /has shape \[2, 2\], expected \[4\]/],
    ['qwen35', 'blk.0.ssm_conv1d.weight', undefined, /is missing; expected one of shape \[4, 256\]/],
    ['nemotron_h', 'blk.0.ssm_a', { shape: [4, 1] }, /has shape \[4, 1\], expected \[1, 4\]/],
    ['nemotron_h', 'blk.0.ssm_norm.weight', { shape: [128] }, /has shape \[128\], expected \[64, 2\]/],
    ['nemotron_h', 'blk.0.ssm_out.weight', { shape: [64, 128] }, /has shape \[64, 128\], expected \[128, 64\]/],
    ['nemotron_h', 'blk.0.ssm_in.weight', undefined, /is missing; expected one of shape \[64, 388\]/],
    ['nemotron_h', 'blk.1.ffn_up.weight', undefined, /is missing; expected one of shape \[64, 96\]/],
    ['granitehybrid', 'blk.0.ssm_d', undefined, /is missing; expected one of shape \[1, 4\]/],
    ['granitehybrid', 'blk.0.ssm_conv1d.bias', { shape: [128, 2] }, /has shape \[128, 2\], expected \[256\]/],
    ['qwen35', 'blk.1.attn_q.weight', { shape: [128, 64] }, /has shape \[128, 64\], expected \[64, 128\]/],
  ];
  for (const [architecture, name, change, message] of cases)
    test(`${architecture}: ${name}`, async () => {
      const model = synthetic(architecture);
      const tensors = model.tensors.flatMap(tensor =>
        tensor.name !== name ? [tensor] : change ? [{ ...tensor, ...change }] : [],
      );
      assert.ok(model.tensors.some(tensor => tensor.name === name));
      await assert.rejects(load({ ...model, tensors }), { code: 'model_invalid', param: name, message });
    });

  test('NaN in a kernel', async () => {
    const model = synthetic('qwen35');
    const name = 'blk.0.ssm_conv1d.weight';
    const poison = () => [new Uint8Array(new Float32Array(4 * 256).fill(Number.NaN).buffer)];
    const tensors = model.tensors.map(tensor => (tensor.name === name ? { ...tensor, bytes: poison } : tensor));
    const message = /ssm_conv1d.weight holds an infinite value or NaN/;
    await assert.rejects(load({ ...model, tensors }), { code: 'model_invalid', message });
  });
});

test('granitehybrid whose layers all attend and rotate is granite', async () => {
  const finetuned = { 'granitehybrid.rope.scaling.finetuned': { type: 'bool', value: true } } as const;
  const models = [
    synthetic('granite'),
    syntheticModel({
      architecture: 'granitehybrid',
      quant: 'Q4_0',
      with: { ...small, interval: 1 },
      metadata: finetuned,
    }),
  ];
  const [wanted, found] = await Promise.all(models.map(probabilities));
  assert.deepEqual(found, wanted);
});

test('gate and up of experts in one matrix, and no width but that of experts, change nothing', async () => {
  const plain = synthetic('qwen35moe');
  const metadata = new Map(plain.metadata);
  assert.ok(metadata.delete('qwen35moe.feed_forward_length'));
  const models = [plain, { metadata, tensors: plain.tensors.flatMap(tensor => fused(tensor, plain)) }];
  const [wanted, found] = await Promise.all(models.map(probabilities));
  assert.deepEqual(found, wanted);
});

async function probabilities(model: GgufModel) {
  const loaded = await load(model);
  const found = await probabilitiesOf(loaded, Int32Array.of(5, 90, 17, 255, 31));
  await loaded.close();
  return found;
}

/** In the place of a gate of experts: its matrices and those of up, expert after expert; nothing in the place of up. */
function fused(tensor: TensorPlan, { tensors }: GgufModel): TensorPlan[] {
  if (tensor.name.includes('ffn_up_exps')) return [];
  const up = tensors.find(({ name }) => name === tensor.name.replace('gate_exps', 'up_exps'));
  if (!tensor.name.includes('ffn_gate_exps') || !up) return [tensor];
  const [columns = 0, rows = 0, experts = 0] = tensor.shape;
  const halves = [tensor, up].map(({ bytes }) => Buffer.concat([...bytes()]));
  const bytes = function* () {
    for (let expert = 0; expert < experts; expert++)
      for (const half of halves) {
        const size = half.length / experts;
        yield half.subarray(expert * size, (expert + 1) * size);
      }
  };
  return [{ ...tensor, name: tensor.name.replace('gate', 'gate_up'), shape: [columns, 2 * rows, experts], bytes }];
}

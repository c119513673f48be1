import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type ArchitectureName, decoders, recipes } from '../../scripts/synthetic/architectures.ts';
import { encodeGguf, type GgufModel, type MetaValue, type TensorPlan } from '../../scripts/synthetic/gguf-writer.ts';
import { type SyntheticOptions, syntheticModel } from '../../scripts/synthetic/model.ts';
import type { Backend, Feature } from '../../src/backend/backend.ts';
import { createReferenceBackend } from '../../src/backend/reference/reference.ts';
import { memoryReader } from '../../src/gguf/memory-reader.ts';
import { openGguf } from '../../src/gguf/open.ts';
import { defineArchitecture } from '../../src/model/architecture.ts';
import { architectures } from '../../src/model/architectures/table.ts';
import { loadModel } from '../../src/model/load.ts';
import { preNorm } from '../../src/model/pre-norm.ts';
import type { ModelOptions } from '../../src/model/types.ts';
import { byteLength } from '../../src/quant/formats.ts';
import { logitsOf } from '../support/logits.ts';

const limits: ModelOptions = { kvTokens: 64, maxBatchTokens: 16, maxOutputs: 16 };
const small = { width: 64, heads: 4, kvHeads: 2, ffn: 96, vocab: 400, layers: 2 };

async function load(model: GgufModel, options = limits, backend: Backend = createReferenceBackend()) {
  return loadModel(await openGguf(memoryReader(encodeGguf(model), 'small.gguf')), backend, options);
}

function synthetic(metadata: Record<string, MetaValue> = {}, options: SyntheticOptions = {}): GgufModel {
  return syntheticModel({ quant: 'Q4_0', with: small, metadata, ...options });
}

/** The model with its tensor `name` replaced or, without a replacement, left out. */
function withTensor(model: GgufModel, name: string, replace?: (tensor: TensorPlan) => TensorPlan): GgufModel {
  const tensors = model.tensors.flatMap(tensor => (tensor.name !== name ? [tensor] : replace ? [replace(tensor)] : []));
  return { ...model, tensors };
}

const u32 = (value: number): MetaValue => ({ type: 'u32', value });
const f32 = (value: number): MetaValue => ({ type: 'f32', value });
const text = (value: string): MetaValue => ({ type: 'string', value });
const perLayer = (...values: number[]): MetaValue => ({ array: 'u32', values });

test('an architecture that is only declared, and in no table, loads and runs', async () => {
  const twin = defineArchitecture({
    name: 'twin',
    layers: preNorm({ rope: 'adjacent' }),
    embeddingScale: () => 1,
  });
  const file = await openGguf(memoryReader(encodeGguf(synthetic()), 'small.gguf'));
  const models = [await loadModel(file, createReferenceBackend(), limits)];
  models.push(await twin.load(file, createReferenceBackend(), limits));
  const segments = [{ start: 0, count: 3, position: 0, pages: Int32Array.of(0) }];
  const [ids, positions, outputs] = [Int32Array.of(5, 7, 9), Int32Array.of(0, 1, 2), Int32Array.of(2)];
  const logits: Float32Array[] = [];
  for (const model of models) {
    await model.run({ tokens: 3, ids, positions, outputs, segments });
    const row = new Float32Array(model.vocabSize);
    await model.logits(Int32Array.of(0), row);
    logits.push(row);
    await model.close();
  }
  assert.deepEqual(logits[1], logits[0]);
});

test('a pooling that nobody knows says nothing', async () => {
  for (const value of [u32(4294967295), u32(9), text('none')]) {
    const model = await load(synthetic({ 'llama.pooling_type': value }));
    await model.close();
  }
});

describe('metadata that no decoder can have is refused by its key', () => {
  const cases: [key: string, value: MetaValue, message: RegExp][] = [
    ['block_count', u32(0), /block_count" is 0/],
    ['block_count', u32(2 ** 31), /from 1 to 1024/],
    ['block_count', text('2'), /must be an integer/],
    ['embedding_length', u32(0), /embedding_length" is 0/],
    ['attention.head_count', u32(0), /head_count" is 0/],
    ['attention.head_count', perLayer(4, 2), /differs between layers/],
    ['attention.head_count', perLayer(4), /must have 2/],
    ['attention.head_count_kv', u32(0), /head_count_kv" is 0/],
    ['attention.head_count_kv', u32(3), /does not divide 4 heads/],
    ['attention.head_count_kv', u32(8), /from 1 to 4/],
    ['attention.key_length', u32(15), /must be even/],
    ['attention.value_length', u32(32), /only the key length, 16/],
    ['attention.layer_norm_rms_epsilon', f32(Number.NaN), /must be finite/],
    ['feed_forward_length', f32(96.5), /must be an integer/],
    ['context_length', u32(0), /context_length" is 0/],
    ['rope.dimension_count', u32(7), /must be even/],
    ['rope.dimension_count', u32(64), /from 2 to 16/],
    ['rope.freq_base', f32(0), /freq_base" is 0/],
    ['rope.freq_base', f32(1), /freq_base" is 1/],
    ['rope.scaling.factor', f32(Number.POSITIVE_INFINITY), /must be finite/],
    ['rope.scaling.type', text('spiral'), /is spiral; known are/],
    ['expert_count', u32(8), /expert_used_count/],
  ];
  for (const [key, value, message] of cases) {
    test(`${key} ${JSON.stringify(value)}`, async () => {
      await assert.rejects(load(synthetic({ [`llama.${key}`]: value })), { code: 'model_invalid', message });
    });
  }

  const special: [architecture: ArchitectureName, key: string, value: MetaValue, message: RegExp][] = [
    ['mistral3', 'attention.temperature_scale', f32(Number.NaN), /must be finite/],
    ['mistral3', 'rope.dimension_count', u32(8), /is 8 of 16; attention.temperature_scale needs all/],
    ['mistral3', 'rope.scaling.original_context_length', u32(0), /at least 1/],
    ['mistral3', 'rope.scaling.yarn_beta_fast', f32(0), /yarn_beta_fast" is 0/],
    ['gemma2', 'attention.sliding_window', u32(0), /sliding_window" is 0/],
    ['granite', 'logit_scale', f32(0), /logit_scale" is 0/],
    ['granite', 'residual_scale', f32(Number.POSITIVE_INFINITY), /must be finite/],
    ['qwen2moe', 'expert_count', u32(0), /expert_count" is 0/],
    ['qwen2moe', 'expert_used_count', u32(0), /expert_used_count" is 0/],
    ['qwen2moe', 'expert_used_count', u32(9), /from 1 to 8/],
    ['qwen2moe', 'expert_shared_feed_forward_length', u32(2 ** 31), /from 0 to/],
    ['granitemoe', 'expert_count', u32(2048), /from 1 to 1024/],
    ['glm4moe', 'expert_gating_func', u32(4), /from 0 to 3/],
    ['glm4moe', 'expert_group_count', u32(3), /does not divide 8 experts/],
    ['glm4moe', 'expert_group_count', u32(8), /groups of 2 or more/],
    ['glm4moe', 'expert_group_count', u32(4), /expert_group_used_count" is missing/],
    ['glm4moe', 'expert_weights_norm', u32(1), /must be true or false/],
    ['glm4moe', 'expert_weights_scale', f32(-1), /from 0/],
    ['glm4moe', 'expert_shared_count', u32(65), /from 0 to 64/],
    ['glm4moe', 'leading_dense_block_count', u32(3), /from 0 to 2/],
    ['glm4moe', 'nextn_predict_layers', u32(2), /from 0 to 1/],
    ['llama4', 'expert_used_count', u32(2), /is 2; only one expert for a token is supported/],
    ['llama4', 'attention.sliding_window', u32(0), /is 0, which is not supported/],
    ['llama4', 'interleave_moe_layer_step', u32(0), /interleave_moe_layer_step" is 0/],
    ['cohere2', 'logit_scale', f32(Number.NaN), /must be finite/],
    ['cohere2', 'attention.sliding_window', f32(1.5), /must be an integer/],
    ['command-r', 'attention.layer_norm_epsilon', f32(2), /from 0 to 1/],
    ['olmoe', 'expert_count', u32(0), /expert_count" is 0/],
    ['ernie4_5-moe', 'interleave_moe_layer_step', u32(0), /interleave_moe_layer_step" is 0/],
  ];
  for (const [architecture, key, value, message] of special) {
    test(`${architecture}: ${key} ${JSON.stringify(value)}`, async () => {
      const model = synthetic({ [`${architecture}.${key}`]: value }, { architecture });
      await assert.rejects(load(model), { code: 'model_invalid', message });
    });
  }

  test('more experts for a token than its groups have', async () => {
    const groups = { expert_group_count: u32(4), expert_group_used_count: u32(1), expert_used_count: u32(3) };
    const metadata = Object.fromEntries(Object.entries(groups).map(([key, value]) => [`glm4moe.${key}`, value]));
    const message = /is 3; 1 groups have 2 experts/;
    await assert.rejects(load(synthetic(metadata, { architecture: 'glm4moe' })), { code: 'model_invalid', message });
  });

  test('per-layer values that are all the same are one value', async () => {
    await (await load(synthetic({ 'llama.attention.head_count': perLayer(4, 4) }))).close();
  });

  test('a vocabulary unlike the embedding', async () => {
    const tokens: MetaValue = { array: 'string', values: ['a', 'b'] };
    const model = synthetic({ 'tokenizer.ggml.tokens': tokens });
    await assert.rejects(load(model), {
      code: 'model_invalid',
      message: /has 2 tokens, token_embd.weight has 400 rows/,
    });
  });

  test('an unknown architecture, with the ones that are known', async () => {
    const message = /architecture "mamba" is not supported; use a model of one of llama, qwen2/;
    const unknown = load(synthetic({ 'general.architecture': text('mamba') }));
    await assert.rejects(unknown, { code: 'architecture_unknown', message });
  });
});

describe('tensors that do not fit are refused by name', () => {
  test('a missing one', async () => {
    const model = withTensor(synthetic(), 'blk.1.ffn_up.weight');
    await assert.rejects(load(model), {
      code: 'model_invalid',
      message: /blk.1.ffn_up.weight is missing; expected one of shape \[64, 96\]/,
    });
  });

  test('those of experts and norms that an architecture cannot do without', async () => {
    const cases: [architecture: ArchitectureName, name: string][] = [
      ['glm4moe', 'blk.1.exp_probs_b.bias'],
      ['glm4moe', 'blk.1.ffn_down_shexp.weight'],
      ['qwen2moe', 'blk.0.ffn_gate_inp_shexp.weight'],
      ['granitemoe', 'blk.1.ffn_gate_inp.weight'],
      ['olmo2', 'blk.0.attn_q_norm.weight'],
      ['seed_oss', 'blk.1.post_attention_norm.weight'],
      ['glm4', 'blk.1.post_ffw_norm.weight'],
      ['llama4', 'blk.1.ffn_up_shexp.weight'],
      ['cohere2', 'blk.1.ffn_gate.weight'],
      ['starcoder2', 'blk.1.ffn_norm.weight'],
      ['olmoe', 'blk.0.attn_k_norm.weight'],
    ];
    for (const [architecture, name] of cases) {
      const whole = synthetic({}, { architecture });
      const message = new RegExp(name);
      await assert.rejects(load(withTensor(whole, name)), { code: 'model_invalid', message });
      const longer = withTensor(whole, name, ({ shape: [columns, ...rest], bytes, ...tensor }) => {
        return { ...tensor, shape: [columns! * 2, ...rest], bytes: () => [...bytes(), ...bytes()] };
      });
      await assert.rejects(load(longer), { code: 'model_invalid', message });
    }
  });

  test('sizes that no tensor bears out, before there are work buffers of them', async () => {
    const wide = u32(2 ** 20);
    const cases: [architecture: ArchitectureName, metadata: Record<string, MetaValue>, message: RegExp][] = [
      ['mixtral', { 'llama.feed_forward_length': wide }, /ffn_gate_exps.weight .* expected \[64, 1048576, 8\]/],
      ['qwen3moe', { 'qwen3moe.expert_feed_forward_length': wide }, /ffn_gate_exps.weight .* expected \[64, 1048576/],
      ['qwen2moe', { 'qwen2moe.expert_shared_feed_forward_length': wide }, /shexp.weight .* expected \[64, 1048576\]/],
      ['granitehybrid', { 'granitehybrid.ssm.inner_size': wide }, /ssm_in.weight .* expected \[64, \d{7}\]/],
      ['qwen3', { 'qwen3.attention.head_count': u32(1024) }, /attn_q.weight .* expected \[64, 16384\]/],
    ];
    for (const [architecture, metadata, message] of cases) {
      const large = { ...limits, maxBatchTokens: 4096, stateSlots: 2 };
      await assert.rejects(load(synthetic(metadata, { architecture }), large), { code: 'model_invalid', message });
    }
  });

  test('rope factors of another length', async () => {
    const model = synthetic({}, { architecture: 'mistral3' });
    const bytes = () => [new Uint8Array(new Float32Array(7).fill(1).buffer)];
    const factors: TensorPlan = { name: 'rope_freqs.weight', shape: [7], type: 'F32', bytes };
    const message = /rope_freqs.weight has shape \[7\], expected \[8\]/;
    await assert.rejects(load({ ...model, tensors: [...model.tensors, factors] }), { code: 'model_invalid', message });
  });

  test('one of another shape', async () => {
    const model = withTensor(synthetic(), 'blk.0.attn_k.weight', tensor => ({ ...tensor, shape: [32, 64] }));
    await assert.rejects(load(model), { message: /blk.0.attn_k.weight has shape \[32, 64\], expected \[64, 32\]/ });
  });

  test('an infinite scale in a matrix, NaN in a norm', async () => {
    const poison = (tensor: TensorPlan): TensorPlan => ({
      ...tensor,
      *bytes() {
        for (const piece of tensor.bytes()) {
          piece.set([0, 0xfc, 0xc0, 0x7f]);
          yield piece;
        }
      },
    });
    for (const name of ['blk.1.ffn_down.weight', 'blk.0.attn_norm.weight']) {
      const model = withTensor(synthetic(), name, poison);
      await assert.rejects(load(model), { code: 'model_invalid', message: new RegExp(name) });
    }
  });

  test('a factor that is NaN, of another number, or 0 beside a bias', async () => {
    const beside = (name: string, values: readonly number[]): TensorPlan => {
      const bytes = new Uint8Array(Float32Array.from(values).buffer);
      return { name: `blk.0.${name}`, shape: [values.length], type: 'F32', bytes: () => [bytes] };
    };
    const refused: [extra: TensorPlan[], message: RegExp][] = [
      [[beside('attn_q.scale', [Number.NaN])], /blk\.0\.attn_q\.scale holds an infinite value or NaN/],
      [[beside('ffn_up.scale', [1, 2])], /blk\.0\.ffn_up\.scale has shape \[2\], expected \[1\]/],
      [
        [beside('attn_k.scale', [0]), beside('attn_k.bias', new Array(32).fill(1))],
        /blk\.0\.attn_k\.scale has a 0 beside blk\.0\.attn_k\.bias/,
      ],
    ];
    for (const [extra, message] of refused) {
      const model = synthetic();
      await assert.rejects(load({ ...model, tensors: [...model.tensors, ...extra] }), {
        code: 'model_invalid',
        message,
      });
    }
    const experts = synthetic({}, { architecture: 'mixtral' });
    await assert.rejects(
      load({ ...experts, tensors: [...experts.tensors, beside('ffn_gate_exps.scale', [1, 2, 3])] }),
      { code: 'model_invalid', message: /ffn_gate_exps\.scale has shape \[3\], expected \[8\]/ },
    );
  });

  test('the backend is closed', async () => {
    let closed = 0;
    const backend = createReferenceBackend();
    backend.close = async () => {
      closed++;
    };
    await assert.rejects(load(withTensor(synthetic(), 'output_norm.weight'), limits, backend));
    assert.equal(closed, 1);
  });
});

describe('gpt-oss', () => {
  const gptOss = (metadata: Record<string, MetaValue> = {}) => synthetic(metadata, { architecture: 'gpt-oss' });
  const cases: [key: string, value: MetaValue, message: RegExp][] = [
    ['attention.sliding_window', u32(0), /sliding_window" is 0/],
    ['attention.sliding_window_pattern', { array: 'bool', values: [true] }, /has 1 layers of 2/],
    ['expert_count', u32(0), /expert_count" is 0/],
    ['expert_used_count', u32(0), /expert_used_count" is 0/],
    ['expert_used_count', u32(9), /from 1 to 8/],
    ['expert_feed_forward_length', u32(0), /expert_feed_forward_length" is 0/],
    ['expert_feed_forward_length', u32(64), /expected \[64, 64, 8\]/],
  ];
  for (const [key, value, message] of cases) {
    test(`refuses ${key} ${JSON.stringify(value)}`, async () => {
      await assert.rejects(load(gptOss({ [`gpt-oss.${key}`]: value })), { code: 'model_invalid', message });
    });
  }

  const names = ['attn_sinks.weight', 'ffn_gate_exps.bias', 'ffn_down_exps.bias', 'ffn_gate_inp.bias'];
  for (const name of names) {
    test(`refuses a file without ${name}, and one of another shape`, async () => {
      const tensor = `blk.1.${name}`;
      const cut = ({ shape: [first = 0, ...rest], ...plan }: TensorPlan): TensorPlan => ({
        ...{ ...plan, shape: [first - 1, ...rest] },
        bytes: () => [new Uint8Array(4 * rest.reduce((product, size) => product * size, first - 1))],
      });
      for (const replace of [undefined, cut]) {
        const message = new RegExp(`${tensor} ${replace ? 'has shape' : 'is missing'}`);
        await assert.rejects(load(withTensor(gptOss(), tensor, replace)), { code: 'model_invalid', message });
      }
    });
  }

  test('refuses a backend without sinks before its weights are loaded', async () => {
    const backend = createReferenceBackend();
    const traits = { ...backend.traits, features: new Set<Feature>(['expertBiases']) };
    const lacking = Object.defineProperty(backend, 'traits', { value: traits });
    await assert.rejects(load(gptOss(), limits, lacking), { code: 'kernel_unavailable', message: /sinks/ });
  });

  test("experts' gates and ups in one tensor are the same model", async () => {
    const model = gptOss();
    const logits: Float32Array[] = [];
    for (const each of [model, fused(model)]) {
      const loaded = await load(each);
      const segments = [{ start: 0, count: 3, position: 0, pages: Int32Array.of(0) }];
      const [ids, positions, outputs] = [Int32Array.of(5, 7, 9), Int32Array.of(0, 1, 2), Int32Array.of(2)];
      await loaded.run({ tokens: 3, ids, positions, outputs, segments });
      logits.push(await logitsOf(loaded, 0));
      await loaded.close();
    }
    assert.deepEqual(logits[1], logits[0]);
  });
});

/** Each expert's gate and up one below the other. */
function fused(model: GgufModel): GgufModel {
  const tensors = model.tensors.flatMap((gate): TensorPlan[] => {
    if (gate.name.includes('.ffn_up_exps.')) return [];
    if (!gate.name.includes('.ffn_gate_exps.')) return [gate];
    const up = model.tensors.find(({ name }) => name === gate.name.replace('_gate_', '_up_'))!;
    const shape = gate.shape.with(-2, 2 * gate.shape.at(-2)!);
    function* bytes() {
      const both = [gate, up].map(tensor => Buffer.concat([...tensor.bytes()]));
      const expert = both[0]!.length / gate.shape.at(-1)!;
      for (let at = 0; at < both[0]!.length; at += expert)
        for (const half of both) yield new Uint8Array(half.subarray(at, at + expert));
    }
    return [{ name: gate.name.replace('_gate_', '_gate_up_'), shape, type: gate.type, bytes }];
  });
  return { ...model, tensors };
}

describe('layers of their own sizes', () => {
  const flags = (...values: boolean[]): MetaValue => ({ array: 'bool', values });
  const mixed = (metadata: Record<string, MetaValue> = {}, architecture: ArchitectureName = 'gemma4-e2b') =>
    synthetic(metadata, { architecture, with: { ...small, layers: 6 } });
  const cases: [key: string, value: MetaValue, message: RegExp][] = [
    ['attention.head_count', perLayer(4, 4, 4, 4, 4, 3), /is 2 in layer 5, which does not divide 3 heads/],
    ['attention.head_count', perLayer(4, 4, 4, 4, 4, 0), /is 0 and must be from 1/],
    ['attention.head_count_kv', perLayer(2, 2, 2, 2, 2, 1), /is 1 in layer 5, which shares those of layer 2/],
    ['attention.head_count_kv', perLayer(2, 2), /must have 6/],
    ['attention.key_length_swa', u32(7), /is 7 and must be even/],
    ['attention.value_length_swa', u32(4), /only the key length, 8/],
    ['attention.shared_kv_layers', u32(6), /from 0 to 5/],
    ['attention.shared_kv_layers', u32(5), /leaves no layer whose keys layer 2 could share/],
    ['attention.sliding_window', u32(0), /must be at least 1/],
    ['attention.sliding_window_pattern', flags(true), /has 1 layers of 6/],
    ['rope.dimension_count_swa', u32(16), /from 2 to 8/],
    ['feed_forward_length', perLayer(96, 96, 96, 192, 192, 0), /is 0 and must be from 1/],
    ['embedding_length_per_layer_input', u32(2 ** 20), /from 0 to/],
  ];
  for (const [key, value, message] of cases) {
    test(`${key} ${JSON.stringify(value)}`, async () => {
      await assert.rejects(load(mixed({ [`gemma4.${key}`]: value })), { code: 'model_invalid', message });
    });
  }

  test('tensors of another size than their layer', async () => {
    const shaped = (name: string, shape: number[]) =>
      withTensor(mixed(), name, tensor => {
        const elements = shape.reduce((product, size) => product * size);
        return { ...tensor, shape, bytes: () => [new Uint8Array(byteLength(tensor.type, elements))] };
      });
    for (const [name, shape, message] of [
      ['blk.0.attn_q.weight', [64, 64], /has shape \[64, 64\], expected \[64, 32\]/],
      ['blk.4.ffn_up.weight', [64, 96], /expected \[64, 192\]/],
      ['per_layer_token_embd.weight', [64, 400], /expected \[384, 400\]/],
      ['rope_freqs.weight', [4], /has shape \[4\], expected \[8\]/],
      ['blk.0.layer_output_scale.weight', [2], /expected \[1\]/],
    ] as const)
      await assert.rejects(load(shaped(name, [...shape])), { code: 'model_invalid', message });
  });

  test('frequencies that are divided by 0, and missing divisors', async () => {
    const zeros = (tensor: TensorPlan): TensorPlan => ({ ...tensor, bytes: () => [new Uint8Array(32)] });
    const message = /rope_freqs.weight must hold numbers above 0/;
    await assert.rejects(load(withTensor(mixed(), 'rope_freqs.weight', zeros)), { code: 'model_invalid', message });
    await assert.rejects(load(withTensor(mixed(), 'rope_freqs.weight')), { message: /rope_freqs.weight is missing/ });
  });

  test('experts without scales of the router, of another number, or of a width that differs', async () => {
    const experts = (metadata: Record<string, MetaValue> = {}) => mixed(metadata, 'gemma4-a4b');
    const without = withTensor(experts(), 'blk.0.ffn_gate_inp.scale');
    await assert.rejects(load(without), { code: 'model_invalid', message: /ffn_gate_inp.scale is missing/ });
    const message = /ffn_gate_up_exps.weight has shape/;
    await assert.rejects(load(experts({ 'gemma4.expert_count': u32(4) })), { code: 'model_invalid' });
    const narrow = experts({ 'gemma4.expert_feed_forward_length': u32(32) });
    await assert.rejects(load(narrow), { code: 'model_invalid', message });
  });
});

describe('a model', () => {
  const generating = new Set<string>(decoders.map(name => recipes[name].name));
  const variants = ['gemma4-e2b', 'gemma4-a4b'] satisfies ArchitectureName[];
  const plain = architectures.map(({ name }) => name).filter(name => generating.has(name));
  for (const name of [...plain, ...variants]) {
    test(`${name}: chunks and neighbours change no bit of its logits`, async () => {
      const architecture = name as ArchitectureName;
      const metadata = { [`${recipes[architecture].name}.attention.sliding_window`]: u32(5) };
      // As many as an architecture has kinds of them.
      const layers = name.startsWith('gemma4') ? 6 : 3;
      const built = synthetic(metadata, { architecture, with: { ...small, layers } });
      const model = await load(built, { ...limits, stateSlots: 4 });
      const [own, others] = [Int32Array.of(1), Int32Array.of(0)];
      const ids = Int32Array.of(5, 90, 17, 255, 31, 8, 120);
      let slot = 2;
      const run = async (from: number, to: number, neighbour: number) => {
        const rows = neighbour + to - from;
        const slots = { slot, nextSlot: 5 - slot };
        slot = slots.nextSlot;
        await model.run({
          tokens: rows,
          ids: Int32Array.of(...ids.slice(0, neighbour), ...ids.slice(from, to)),
          positions: Int32Array.from({ length: rows }, (_, i) => (i < neighbour ? i : from + i - neighbour)),
          outputs: Int32Array.of(rows - 1),
          segments: [
            { start: 0, count: neighbour, position: 0, pages: others, slot: 0, nextSlot: 1 },
            { start: neighbour, count: to - from, position: from, pages: own, ...slots },
          ].slice(neighbour ? 0 : 1),
        });
        return logitsOf(model, 0);
      };
      const whole = await run(0, 7, 0);
      assert.ok(whole.every(Number.isFinite));
      await run(0, 2, 0);
      await run(2, 6, 3);
      assert.deepEqual(await run(6, 7, 2), whole);
      await model.close();
    });
  }

  test('gate and up of experts may be in one matrix', async () => {
    const apart = synthetic({}, { architecture: 'qwen3moe' });
    const together = apart.tensors.flatMap(tensor => {
      if (tensor.name.endsWith('ffn_gate_exps.weight')) return [];
      if (!tensor.name.endsWith('ffn_up_exps.weight')) return [tensor];
      const name = tensor.name.replace('up', 'gate_up');
      const gate = apart.tensors.find(each => each.name === tensor.name.replace('up', 'gate'))!;
      const [columns, rows, experts] = tensor.shape as [number, number, number];
      const halves = [gate, tensor].map(({ bytes }) => Buffer.concat([...bytes()]));
      const size = halves[0]!.length / experts;
      const parts = Array.from({ length: experts }, (_, e) =>
        halves.map(half => half.subarray(e * size, (e + 1) * size)),
      );
      return [{ ...tensor, name, shape: [columns, 2 * rows, experts], bytes: () => [Buffer.concat(parts.flat())] }];
    });
    const logits = [];
    for (const tensors of [apart.tensors, together]) {
      const model = await load({ ...apart, tensors });
      const [ids, positions, outputs] = [Int32Array.of(5, 7, 9), Int32Array.of(0, 1, 2), Int32Array.of(2)];
      const segments = [{ start: 0, count: 3, position: 0, pages: Int32Array.of(0) }];
      await model.run({ tokens: 3, ids, positions, outputs, segments });
      logits.push(await logitsOf(model, 0));
      await model.close();
    }
    assert.deepEqual(logits[1], logits[0]);
  });

  test('reports how much of the file is loaded, up to all of it', async () => {
    const seen: number[] = [];
    let total = 0;
    const onProgress = (loaded: number, all: number) => {
      seen.push(loaded);
      total = all;
    };
    const ahead = synthetic({ 'glm4moe.nextn_predict_layers': u32(1) }, { architecture: 'glm4moe' });
    const predicting = synthetic({}, { architecture: 'qwen35', with: { ...small, predicting: 1 } });
    for (const model of [synthetic(), ahead, predicting]) {
      await (await load(model, { ...limits, onProgress })).close();
      assert.ok(seen.every((loaded, i) => i === 0 || loaded >= seen[i - 1]!));
      assert.equal(seen.at(-1), total);
      seen.length = 0;
    }
  });

  test('refuses a batch that it was not sized for, and tokens it does not know', async () => {
    const model = await load(synthetic());
    const batch = (ids: number[]) => ({
      tokens: ids.length,
      ids: Int32Array.from(ids),
      positions: Int32Array.from(ids, (_, i) => i),
      outputs: new Int32Array(0),
      segments: [{ start: 0, count: ids.length, position: 0, pages: Int32Array.of(0) }],
    });
    assert.throws(() => model.run(batch(new Array(17).fill(1))), { code: 'internal_error' });
    assert.throws(() => model.run(batch([400])), { code: 'internal_error' });
    assert.throws(() => model.run(batch([-1])), { code: 'internal_error' });
    await model.close();
  });
});

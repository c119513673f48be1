import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { ArchitectureName } from '../../scripts/synthetic/architectures.ts';
import { type MetaValue, type TensorPlan, writeGguf } from '../../scripts/synthetic/gguf-writer.ts';
import { type SyntheticOptions, syntheticModel } from '../../scripts/synthetic/model.ts';
import { random } from '../../src/backend/parity/data.ts';
import { createWasmBackend } from '../../src/backend/wasm/create.ts';
import { openGguf } from '../../src/gguf/open.ts';
import { loadModel } from '../../src/model/load.ts';
import { agreement, probabilitiesOf } from '../support/agreement.ts';
import { evaluate, withLlama } from '../support/llama-cpp.ts';

/**
 * Each architecture against llama.cpp on a small model of random weights, longer than its sliding window. F16 weights leave
 * both engines nearly exact, so anything forgotten (a norm, a bias, a rotation) stands out; quantised ones add the noise of
 * 8-bit activations, which is each engine's own.
 */
interface Variant {
  readonly title: string;
  readonly options: SyntheticOptions;
  readonly extra?: readonly TensorPlan[];
  /** Metadata that is left out. */
  readonly without?: readonly string[];
  /** Where two experts are about equal, the last bit of a score decides which a token goes to: positions are judged one by one. */
  readonly mixture?: boolean;
  /** What each engine rounds otherwise grows over many layers. */
  readonly deep?: boolean;
  /** Which matrices have a scale beside them, as NVFP4 files have. */
  readonly scaled?: RegExp;
  /** Default: F16, and Q4_K_M of those that add nothing to their architecture. */
  readonly quants?: readonly (keyof typeof bounds)[];
}

/** In F32 too, where nothing is rounded to 16 bits: what states gather must be right. */
const all = ['F32', 'F16', 'Q4_K_M'] as const;
const dense = ['llama', 'qwen2', 'qwen3', 'phi3', 'gemma2', 'gemma3', 'mistral3', 'smollm3', 'granite', 'qwen3vl'];
const plain = ['qwen2vl', 'cohere2', 'command-r', 'starcoder2'];
const olderDense = ['gemma', 'olmo2', 'olmo3', 'exaone4', 'glm4', 'hunyuan-dense', 'seed_oss', 'ernie4_5'];
const mixtures = [
  'mixtral',
  'qwen3moe',
  'qwen3vlmoe',
  'granitemoe',
  'qwen2moe',
  'glm4moe',
  'ernie4_5-moe',
  'hunyuan-moe',
];

const variants: readonly Variant[] = [
  ...[...dense, ...olderDense, ...plain].map(name => ({
    title: name,
    options: { architecture: name as ArchitectureName, with: { layers: 7, heads: 4, kvHeads: 2 } },
  })),
  ...mixtures.map(name => ({
    title: name,
    options: { architecture: name as ArchitectureName, with: { layers: 2, heads: 4, kvHeads: 2 } },
    mixture: true,
  })),
  { title: 'llama4', options: { architecture: 'llama4', with: { layers: 6, heads: 4, kvHeads: 2 } }, mixture: true },
  {
    title: 'llama4 of 128 experts, whose heads are not normalised',
    options: { architecture: 'llama4', with: { layers: 4, width: 128, ffn: 64, experts: 128 } },
    mixture: true,
    quants: ['F16'],
  },
  { title: 'olmoe', options: { architecture: 'olmoe', with: { layers: 2, heads: 4, kvHeads: 4 } }, mixture: true },
  {
    title: 'llama of few bits',
    options: { architecture: 'llama', with: { layers: 7, heads: 4, kvHeads: 2 } },
    quants: ['Q1_0', 'Q2_0'],
  },
  {
    title: 'glm4moe, groups of experts, softmax, a block that guesses ahead',
    options: {
      architecture: 'glm4moe',
      with: { layers: 3 },
      metadata: {
        'glm4moe.block_count': { type: 'u32', value: 4 },
        'glm4moe.nextn_predict_layers': { type: 'u32', value: 1 },
        'glm4moe.expert_group_count': { type: 'u32', value: 4 },
        'glm4moe.expert_group_used_count': { type: 'u32', value: 2 },
        'glm4moe.expert_gating_func': { type: 'u32', value: 1 },
      },
    },
    mixture: true,
  },
  {
    title: 'exaone4 of 64 layers, windows',
    options: {
      architecture: 'exaone4',
      with: { width: 128, heads: 4, kvHeads: 1, ffn: 64, layers: 64 },
      metadata: { 'exaone4.attention.sliding_window': { type: 'u32', value: 40 } },
    },
  },
  {
    title: 'olmo3, YaRN',
    options: { architecture: 'olmo3', with: { layers: 5 }, metadata: scaling('olmo2', 'yarn', 8) },
  },
  {
    title: 'glm4 that can see',
    options: {
      architecture: 'glm4',
      metadata: { 'glm4.rope.dimension_sections': { array: 'i32', values: [4, 6, 6, 0] } },
    },
  },
  {
    title: 'hunyuan-dense, a stretched base',
    options: {
      architecture: 'hunyuan-dense',
      metadata: { 'hunyuan-dense.rope.scaling.alpha': { type: 'f32', value: 1000 } },
    },
  },
  {
    title: 'mistral3, far behind its first context',
    options: {
      architecture: 'mistral3',
      metadata: {
        'mistral3.rope.scaling.original_context_length': { type: 'u32', value: 7 },
        'mistral3.attention.temperature_scale': { type: 'f32', value: 0.4 },
      },
    },
  },
  { title: 'granite, untied', options: { architecture: 'granite', with: { tied: false }, metadata: {} } },
  { title: 'lfm2', options: { architecture: 'lfm2', with: { layers: 5 } }, quants: all },
  {
    title: 'lfm2, a window, four taps',
    options: {
      architecture: 'lfm2',
      with: { layers: 3, taps: 4 },
      metadata: { 'lfm2.attention.sliding_window': { type: 'u32', value: 40 } },
    },
    quants: ['F32'],
  },
  { title: 'qwen35', options: { architecture: 'qwen35', with: { layers: 5, headWidth: 64 } }, quants: all },
  {
    title: 'qwen35, tied, with a block that predicts, layers of either kind as the file says',
    options: {
      architecture: 'qwen35',
      with: { layers: 3, interval: 2, headWidth: 64, tied: true, taps: 3, predicting: 1 },
      metadata: { 'qwen35.attention.recurrent_layers': { array: 'bool', values: [true, false, true, false] } },
    },
    quants: ['F32'],
  },
  {
    title: 'gpt-oss',
    options: {
      architecture: 'gpt-oss',
      with: { layers: 3, heads: 8, kvHeads: 2, headWidth: 64, window: 20, experts: 4 },
    },
    mixture: true,
    quants: ['F16', 'MXFP4_MOE'],
  },
  ...(['qwen35moe', 'qwen3next', 'lfm2moe'] satisfies ArchitectureName[]).map(architecture => ({
    title: architecture,
    options: { architecture, with: { layers: 3, interval: 3, headWidth: 64, ffn: 256 } },
    mixture: true,
    quants: all,
  })),
  ...(['nemotron_h', 'granitehybrid'] satisfies ArchitectureName[]).map(architecture => ({
    title: architecture,
    options: { architecture, with: { layers: 5, headWidth: 64 } },
    quants: all,
  })),
  ...(['nemotron_h_moe', 'granitehybridMoe'] satisfies ArchitectureName[]).map(architecture => ({
    title: architecture,
    options: { architecture, with: { layers: 4, headWidth: 64, ffn: 256 } },
    mixture: true,
    quants: all,
  })),
  {
    title: 'nemotron_h_moe, experts of a narrower stream',
    options: { architecture: 'nemotron_h_moe', with: { layers: 3, ffn: 256, latentWidth: 128 } },
    mixture: true,
    quants: ['F32', 'F16'],
  },
  {
    title: 'nemotron_h, one group, three taps, tied, no key for its own norms',
    options: { architecture: 'nemotron_h', with: { layers: 3, keyHeads: 1, taps: 3, stateWidth: 64, tied: true } },
    without: ['nemotron_h.attention.layer_norm_rms_epsilon'],
    quants: ['F32'],
  },
  {
    title: 'granitehybrid, rotations, untied',
    options: {
      architecture: 'granitehybrid',
      with: { layers: 2, interval: 2, tied: false },
      metadata: { 'granitehybrid.rope.scaling.finetuned': { type: 'bool', value: true } },
    },
    quants: ['F32'],
  },
  ...(['gemma4', 'gemma4-e2b'] satisfies ArchitectureName[]).map(architecture => ({
    title: architecture,
    options: { architecture, with: { layers: 9, heads: 4, kvHeads: 2, headWidth: 128 } },
  })),
  {
    title: 'gemma4-a4b',
    options: { architecture: 'gemma4-a4b', with: { layers: 3, heads: 4, kvHeads: 2, headWidth: 128 } },
    mixture: true,
  },
  {
    title: 'deepseek2, as V2-Lite',
    options: {
      architecture: 'deepseek2',
      with: { width: 128, heads: 4, ffn: 64, experts: 4, latentWidth: 64, layers: 27, denseLayers: 24 },
    },
    mixture: true,
    deep: true,
    quants: ['F16'],
  },
  ...(['deepseek2-v3', 'deepseek2-flash', 'mistral4'] satisfies ArchitectureName[]).map(architecture => ({
    title: architecture,
    options: { architecture, with: { layers: 3, ffn: 256 } },
    mixture: true,
  })),
  { title: 'llama, wide heads', options: { with: { headWidth: 128, heads: 6, kvHeads: 2 } } },
  { title: 'llama, linear rope', options: { metadata: scaling('llama', 'linear', 4) } },
  { title: 'llama, YaRN', options: { metadata: scaling('llama', 'yarn', 4, 4096) } },
  { title: 'qwen2, YaRN', options: { architecture: 'qwen2', metadata: scaling('qwen2', 'yarn', 4, 4096) } },
  { title: 'llama 3, divided frequencies', options: {}, extra: [divisors('rope_freqs', 32)] },
  {
    title: 'llama with biases',
    options: {},
    extra: [bias('attn_q', 256), bias('attn_output', 256), bias('ffn_down', 256)],
  },
  {
    title: 'phi3, long contexts, part of a head rotated',
    options: {
      architecture: 'phi3',
      metadata: {
        ...scaling('phi3', 'longrope', 1),
        'phi3.rope.scaling.attn_factor': { type: 'f32', value: 1.19 },
        'phi3.rope.dimension_count': { type: 'u32', value: 48 },
      },
    },
    extra: [divisors('rope_factors_long', 24), divisors('rope_factors_short', 24, 9)],
  },
  ...(
    [
      ...[
        ['llama', {}],
        ['qwen2', {}],
        ['qwen3', {}],
        ['qwen35', { layers: 5, headWidth: 64 }],
        ['nemotron_h', { layers: 5 }],
      ],
      ...[
        ['qwen3moe', {}],
        ['mixtral', {}],
        ['qwen35moe', { layers: 5, headWidth: 64 }],
        ['nemotron_h_moe', { layers: 5 }],
      ],
    ] as const
  ).map(([architecture, sizes]) => ({
    title: `${architecture}, scaled`,
    options: { architecture, with: { layers: 2, heads: 4, kvHeads: 2, ...sizes } },
    // llama.cpp leaves those of this one's feed-forward network alone.
    scaled: architecture === 'qwen2' ? /attn/ : /./,
    mixture: /moe|mixtral/.test(architecture),
    quants: architecture === 'llama' ? (['F16', 'NVFP4'] as const) : (['F16'] as const),
  })),
  { title: 'gemma3, linear rope', options: { architecture: 'gemma3', metadata: scaling('gemma3', 'linear', 8) } },
];

function scaling(architecture: string, type: string, factor: number, original = 64): Record<string, MetaValue> {
  return {
    [`${architecture}.rope.scaling.type`]: { type: 'string', value: type },
    [`${architecture}.rope.scaling.factor`]: { type: 'f32', value: factor },
    [`${architecture}.rope.scaling.original_context_length`]: { type: 'u32', value: original },
  };
}

/** A vector of seeded values, 1 to 3: what frequencies are divided by. */
function divisors(name: string, length: number, seed = 1): TensorPlan {
  const next = random(seed);
  return vector(
    `${name}.weight`,
    Float32Array.from({ length }, () => 1 + 2 * next()),
  );
}

function bias(name: string, length: number): TensorPlan {
  const next = random(length);
  return vector(
    `blk.0.${name}.bias`,
    Float32Array.from({ length }, () => next() - 0.5),
  );
}

const scalable =
  /^blk\.\d+\.(attn_(q|k|v|output|qkv|gate)|ffn_(gate|up|down)(_exps|_shexp)?|ssm_(in|out|alpha|beta))\.weight$/;

/** A factor, 0.5 to 1.5, for each matrix that may have one; for experts' matrices one for each of them. */
function scalesOf(tensors: readonly TensorPlan[]): TensorPlan[] {
  const next = random(5);
  return tensors
    .filter(({ name }) => scalable.test(name))
    .map(({ name, shape }) =>
      vector(
        name.replace(/weight$/, 'scale'),
        Float32Array.from({ length: shape[2] ?? 1 }, () => 0.5 + next()),
      ),
    );
}

function vector(name: string, values: Float32Array): TensorPlan {
  return { name, shape: [values.length], type: 'F32', bytes: () => [new Uint8Array(values.buffer)] };
}

const positions = 100;
/** Most that the logarithms of all probabilities may differ by, root mean square. */
const bounds = { F32: 0.0002, F16: 0.005, Q4_K_M: 0.2, MXFP4_MOE: 0.2, Q1_0: 0.2, Q2_0: 0.2, NVFP4: 0.2 } as const;

describe('architectures agree with llama.cpp', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'realm-architectures-'));
  });
  after(() => rm(folder, { recursive: true }));

  for (const { title, options, extra = [], without = [], scaled, mixture, deep, quants } of variants) {
    for (const quant of quants ?? (extra.length || options.metadata ? ['F16'] : ['F16', 'Q4_K_M'])) {
      test(`${title}, ${quant}`, async () => {
        const path = join(folder, `${title}-${quant}.gguf`);
        const model = syntheticModel({ quant, ...options });
        const metadata = new Map([...model.metadata].filter(([key]) => !without.includes(key)));
        const scales = scaled ? scalesOf(model.tensors.filter(({ name }) => scaled.test(name))) : [];
        writeGguf(path, { metadata, tensors: [...model.tensors, ...extra, ...scales] });
        const { meanKl, logDifference, medianLogDifference } = await compare(path);
        const difference = mixture ? medianLogDifference : logDifference;
        assert.ok(difference < bounds[quant] * (deep ? 4 : 1), `logarithms differ by ${difference}, mean KL ${meanKl}`);
      });
    }
  }
});

async function compare(path: string) {
  const next = random(1);
  const file = await openGguf(path);
  // It computes what the reference does, bit for bit (src/backend/parity/), in a fraction of the time.
  const backend = await createWasmBackend({ threads: 1 });
  const model = await loadModel(file, backend, { kvTokens: 512, maxBatchTokens: 64, maxOutputs: 64, stateSlots: 2 });
  const tokens = Int32Array.from({ length: positions }, () => next() * model.vocabSize);
  const theirs = await withLlama(path, llama => evaluate(llama, tokens, { threads: 1 }));
  const result = agreement(theirs, await probabilitiesOf(model, tokens));
  await model.close();
  await file.close();
  return result;
}

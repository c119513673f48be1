import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type AdapterOptions, syntheticAdapter } from '../../scripts/synthetic/adapter.ts';
import { type ArchitectureName, recipes } from '../../scripts/synthetic/architectures.ts';
import { encodeGguf, type GgufModel, type TensorPlan, writeGguf } from '../../scripts/synthetic/gguf-writer.ts';
import { type SyntheticOptions, syntheticModel } from '../../scripts/synthetic/model.ts';
import type { Backend } from '../../src/backend/backend.ts';
import { random } from '../../src/backend/parity/data.ts';
import { createReferenceBackend } from '../../src/backend/reference/reference.ts';
import { createWasmBackend } from '../../src/backend/wasm/create.ts';
import { memoryReader } from '../../src/gguf/memory-reader.ts';
import { openGguf } from '../../src/gguf/open.ts';
import { loadModel } from '../../src/model/load.ts';
import type { Adapter, Model } from '../../src/model/types.ts';
import { agreement, probabilitiesOf } from '../support/agreement.ts';
import { evaluate, withLlama } from '../support/llama-cpp.ts';
import { logitsOf } from '../support/logits.ts';
import { withScales } from '../support/with-scales.ts';

const nameOf = (architecture: ArchitectureName) => recipes[architecture].name;
const everything = /\.weight$/;

/** F16 models, whose sums both engines compute nearly exactly: what an adapter forgets stands out. */
const cases: readonly { title: string; model?: SyntheticOptions; adapter?: AdapterOptions; mixture?: boolean }[] = [
  ...(['llama', 'qwen2', 'qwen3', 'phi3', 'gemma2', 'gemma3', 'glm4', 'olmo2'] satisfies ArchitectureName[]).map(
    architecture => ({
      title: architecture,
      model: { architecture, with: { layers: 7 } },
      adapter: { architecture },
    }),
  ),
  ...(['lfm2', 'qwen35'] satisfies ArchitectureName[]).map(architecture => ({
    title: architecture,
    model: { architecture, with: { layers: 4 } },
    adapter: { architecture, tensors: /(attn|ffn|alpha|beta|out|proj).*weight$/ },
  })),
  ...(['nemotron_h', 'granitehybrid'] satisfies ArchitectureName[]).map(architecture => ({
    title: architecture,
    model: { architecture, with: { layers: 4 } },
    // Strong, for what a layer of granite adds is scaled by 0.22.
    adapter: { architecture, tensors: /(attn|ffn|ssm_in|ssm_out).*weight$/, strength: 2 },
  })),
  {
    title: 'gemma4, embeddings for every layer',
    model: { architecture: 'gemma4-e2b', with: { layers: 9, headWidth: 128 } },
    // llama.cpp leaves out what changes how those embeddings are made.
    adapter: { architecture: 'gemma4', tensors: /^blk.*\.weight$/ },
  },
  {
    title: 'granite, which scales what a layer adds',
    model: { architecture: 'granite', metadata: { 'granite.logit_scale': { type: 'f32', value: 1 } } },
    adapter: { architecture: 'granite', strength: 0.8 },
  },
  ...(['mixtral', 'qwen2moe', 'gpt-oss', 'nemotron_h_moe', 'qwen35moe'] satisfies ArchitectureName[]).map(
    architecture => ({
      title: `${architecture}, experts and their router`,
      model: { architecture, with: { layers: 3, ffn: 256, experts: 4 } },
      adapter: {
        architecture: nameOf(architecture),
        tensors: /(attn_q|ffn_gate_inp|exps|shexp).weight$/,
        strength: 0.3,
      },
      mixture: true,
    }),
  ),
  {
    title: 'rank 12 of experts whose gate and up are one matrix',
    model: { architecture: 'gemma4-a4b', with: { layers: 3, heads: 4, kvHeads: 2, headWidth: 128 } },
    // What scales an expert's output scales its adapter's too: in llama.cpp not, so those are left out.
    adapter: { architecture: 'gemma4', rank: 12, tensors: /gate_up_exps.weight$/ },
    mixture: true,
  },
  { title: 'embeddings and output too', adapter: { tensors: everything } },
  { title: 'rank 5, alpha 12', adapter: { rank: 5, alpha: 12, strength: 0.3 } },
  { title: 'rank 40 as F16, attention only', adapter: { rank: 40, type: 'F16', tensors: /attn_[qv]/ } },
  { title: 'rank 64 as Q8_0', adapter: { rank: 64, type: 'Q8_0' } },
];

const limits = { kvTokens: 512, maxBatchTokens: 64, maxOutputs: 64 };
const open = (model: GgufModel) => openGguf(memoryReader(encodeGguf(model), 'memory.gguf'));

async function load(model: GgufModel, backend: Backend): Promise<Model> {
  return loadModel(await open(model), backend, { ...limits, stateSlots: 2 });
}

describe('an adapter has the effect that it has in llama.cpp', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'realm-adapters-'));
  });
  after(() => rm(folder, { recursive: true }));

  for (const { title, model: options, adapter: changes, mixture } of cases) {
    test(title, async () => {
      const base = syntheticModel({ quant: 'F16', ...options });
      const [path, lora] = [join(folder, `${title}.gguf`), join(folder, `${title}-lora.gguf`)];
      const adapter = syntheticAdapter(base.tensors, changes);
      writeGguf(path, base);
      writeGguf(lora, adapter);
      const next = random(1);
      const model = await load(base, createReferenceBackend());
      const tokens = Int32Array.from({ length: 60 }, () => next() * model.vocabSize);
      const theirs = await withLlama(path, llama => evaluate(llama, tokens, { lora }));
      const plain = agreement(theirs, await probabilitiesOf(model, tokens));
      const loaded = await model.loadAdapter(await open(adapter));
      const ours = agreement(theirs, await probabilitiesOf(model, tokens, loaded));
      await model.close();
      assert.ok(plain.logDifference > 0.3, `the adapter changes nothing: ${plain.logDifference}`);
      // A rank of 64 as Q8_0 goes through 8-bit activations there and not here.
      const bound = changes?.type === 'Q8_0' ? 0.05 : 0.01;
      // Where two experts are about equal, the last bit of a score decides which a token goes to.
      const { logDifference, medianLogDifference, meanKl } = ours;
      const difference = mixture ? medianLogDifference : logDifference;
      assert.ok(difference < bound, `logarithms differ by ${difference}, mean KL ${meanKl}`);
    });
  }
});

const small = { width: 128, heads: 4, kvHeads: 2, ffn: 192, vocab: 400, layers: 3 };
const base = syntheticModel({ quant: 'Q4_0', with: small });
const [firstAdapter, secondAdapter] = [
  syntheticAdapter(base.tensors, { seed: 1, tensors: everything }),
  syntheticAdapter(base.tensors, { seed: 2, rank: 20, tensors: /ffn|output/ }),
];

const mixture = syntheticModel({ architecture: 'mixtral', quant: 'Q4_0', with: { ...small, experts: 4 } });
const mixtureAdapters = [
  syntheticAdapter(mixture.tensors, { seed: 1, rank: 5, tensors: everything }),
  syntheticAdapter(mixture.tensors, { seed: 2, rank: 20, tensors: /exps|output/ }),
];

/** A sequence of the batch under test. */
interface Row {
  readonly ids: readonly number[];
  readonly adapter?: Adapter | undefined;
}

/** One batch from position 0; the logits after each sequence's last token. */
async function logits(model: Model, rows: readonly Row[]): Promise<Float32Array[]> {
  let start = 0;
  const segments = rows.map(({ ids, adapter }, page) => {
    const segment = { start, count: ids.length, position: 0, pages: Int32Array.of(page), adapter };
    start += ids.length;
    return segment;
  });
  await model.run({
    tokens: start,
    ids: Int32Array.from(rows.flatMap(({ ids }) => ids)),
    positions: Int32Array.from(rows.flatMap(({ ids }) => ids.map((_, i) => i))),
    outputs: Int32Array.from(segments, segment => segment.start + segment.count - 1),
    segments,
  });
  return Promise.all(rows.map((_, i) => logitsOf(model, i)));
}

const sequence = (seed: number, length: number) => Array.from({ length }, (_, i) => (seed * 31 + i * 17) % 300);

describe('adapters mixed in one batch', () => {
  const backends: readonly [string, () => Backend | Promise<Backend>][] = [
    ['reference', createReferenceBackend],
    ['wasm, 1 thread', () => createWasmBackend({ threads: 1 })],
    ['wasm, 2 threads', () => createWasmBackend({ threads: 2 })],
    ['wasm, several memories', () => createWasmBackend({ threads: 2, memoryPages: 1210 })],
  ];
  const models = [
    { of: 'a dense model', base, adapters: [firstAdapter, secondAdapter] },
    { of: 'a mixture of experts', base: mixture, adapters: mixtureAdapters },
  ] as const;

  for (const { of, base, adapters } of models) {
    let wanted: Float32Array[] | undefined;
    for (const [name, create] of backends) {
      test(`of ${of}, ${name}: the same bits as alone, and the reference's`, async () => {
        const model = await load(base, await create());
        const [a, b] = [
          await model.loadAdapter(await open(adapters[0]!)),
          await model.loadAdapter(await open(adapters[1]!)),
        ];
        const order = [a, undefined, b, a, a, undefined, undefined, b, b, a];
        const rows = order.map((adapter, i) => ({ ids: sequence(i, 1 + ((5 * i) % 7)), adapter }));
        const alone: Float32Array[] = [];
        for (const row of rows) alone.push(...(await logits(model, [row])));
        assert.deepEqual(await logits(model, rows), alone);
        wanted ??= alone;
        assert.deepEqual(alone, wanted);
        const one = sequence(1, 6);
        const three = await logits(
          model,
          [a, b, undefined].map(adapter => ({ ids: one, adapter })),
        );
        assert.equal(new Set(three.map(String)).size, 3, 'an adapter changes nothing');
        await model.close();
      });
    }
  }
});

test('sixteen adapters in one batch of a deep model: more operations than a step holds at once', async () => {
  const deep = syntheticModel({
    quant: 'Q4_0',
    with: { width: 64, heads: 4, kvHeads: 2, ffn: 96, vocab: 400, layers: 32 },
  });
  const model = await load(deep, await createWasmBackend({ threads: 2 }));
  const rows: Row[] = [];
  for (let seed = 0; seed < 16; seed++) {
    const adapter = await model.loadAdapter(await open(syntheticAdapter(deep.tensors, { seed })));
    rows.push({ ids: sequence(1, 1 + (seed % 3)), adapter });
  }
  const alone: Float32Array[] = [];
  for (const row of rows) alone.push(...(await logits(model, [row])));
  assert.deepEqual(await logits(model, rows), alone);
  await model.close();
});

for (const [name, whole] of [
  ['a dense model', base],
  ['a mixture of experts', mixture],
] as const)
  test(`an adapter of absurd weights for ${name} does no harm to others`, async () => {
    const model = await load(whole, await createWasmBackend({ threads: 2 }));
    const row = { ids: sequence(3, 9) };
    const [plain] = await logits(model, [row]);
    const victim = { ids: sequence(4, 5) };
    const [sound] = await logits(model, [victim]);
    const mad = await model.loadAdapter(
      await open(syntheticAdapter(whole.tensors, { alpha: 1e37, tensors: everything })),
    );
    const [before, ill, behind] = await logits(model, [row, { ...victim, adapter: mad }, row]);
    assert.notDeepEqual(ill, sound);
    assert.deepEqual([before, behind], [plain, plain]);
    assert.deepEqual(await logits(model, [row]), [plain]);
    await model.close();
  });

test('an adapter comes and goes: the base model and the memory are as before, space is used again', async () => {
  const backend = await createWasmBackend({ threads: 2 });
  const model = await load(base, backend);
  const row = { ids: sequence(3, 9) };
  const plain = await logits(model, [row]);
  const before = model.memory().weights;
  const loaded = await model.loadAdapter(await open(firstAdapter));
  assert.equal(model.memory().weights, before + loaded.bytes);
  const changed = await logits(model, [{ ...row, adapter: loaded }]);
  assert.deepEqual(await logits(model, [row]), plain);
  model.unloadAdapter(loaded);
  assert.equal(model.memory().weights, before);
  for (let i = 0; i < 3; i++) {
    const again = await model.loadAdapter(await open(firstAdapter));
    assert.deepEqual(await logits(model, [{ ...row, adapter: again }, row]), [changed[0], plain[0]]);
    model.unloadAdapter(again);
  }
  assert.equal(model.memory().weights, before);
  await model.close();
});

/** The adapter with one tensor replaced or, without a replacement, left out. */
function withTensor(name: string, replace?: (tensor: TensorPlan) => TensorPlan): GgufModel {
  const tensors = firstAdapter.tensors.flatMap(tensor =>
    tensor.name !== name ? [tensor] : replace ? [replace(tensor)] : [],
  );
  assert.notDeepEqual(tensors, firstAdapter.tensors);
  return { ...firstAdapter, tensors };
}

describe('adapters that do not fit are refused, and nothing of them stays', () => {
  const meta = (key: string, value: string | number): GgufModel => ({
    ...firstAdapter,
    metadata: new Map([
      ...firstAdapter.metadata,
      [key, typeof value === 'string' ? { type: 'string', value } : { type: 'f32', value }],
    ]),
  });
  const other = syntheticModel({ with: { ...small, ffn: 256 } });
  const deeper = syntheticModel({ with: { ...small, layers: 4 } });
  const poison = (tensor: TensorPlan): TensorPlan => ({
    ...tensor,
    *bytes() {
      for (const piece of tensor.bytes()) {
        piece.set([0, 0, 0xc0, 0x7f], piece.length - 4);
        yield piece;
      }
    },
  });
  const b = 'blk.2.ffn_up.weight.lora_b';
  const norm = base.tensors.find(({ name }) => name === 'output_norm.weight')!;
  const mad = { rank: 1, alpha: 3e38, strength: 8 };
  const refused: [title: string, file: GgufModel, message: RegExp][] = [
    ['a model', base, /general.type is missing/],
    ['another type', meta('general.type', 'model'), /general.type is "model", not "adapter"/],
    ['another kind of adapter', meta('adapter.type', 'control_vector'), /is "control_vector"/],
    ['another architecture', meta('general.architecture', 'qwen2'), /is "qwen2", not "llama"/],
    ['an infinite alpha', meta('adapter.lora.alpha', Number.POSITIVE_INFINITY), /no finite number/],
    ['an alpha that is text', meta('adapter.lora.alpha', '8'), /no finite number/],
    ['weights that its alpha makes infinite', syntheticAdapter(base.tensors, mad), /infinite value/],
    ['an activated LoRA', meta('adapter.alora.invocation_tokens', 'x'), /activated/],
    ['a model of another width', syntheticAdapter(other.tensors), /blk.0.ffn_gate.weight.lora_b has shape \[8, 256\]/],
    ['a model of more layers', syntheticAdapter(deeper.tensors), /no matrix blk.3.attn_q.weight/],
    ['half a pair', withTensor(b), /blk.2.ffn_up.weight.lora_a has no lora_b/],
    ['NaN', withTensor(b, poison), /blk.2.ffn_up.weight.lora_b holds an infinite value or NaN/],
    ['factors of different rank', withTensor(b, tensor => ({ ...tensor, shape: [16, 96] })), /shape \[128, 8\], not/],
    ['a vector', withTensor(b, tensor => ({ ...tensor, shape: [8 * 192] })), /no matrices/],
    [
      'norms',
      { ...firstAdapter, tensors: [...firstAdapter.tensors, norm] },
      /output_norm.weight is no factor of a matrix/,
    ],
    ['no tensors', { ...firstAdapter, tensors: [] }, /changes no tensor/],
  ];
  for (const [title, file, message] of refused) {
    test(title, async () => {
      const model = await load(base, createReferenceBackend());
      const before = model.memory().weights;
      await assert.rejects(model.loadAdapter(await open(file)), { code: 'adapter_invalid', message });
      assert.equal(model.memory().weights, before);
      await model.close();
    });
  }

  test('what experts give, where a format scales it: what an adapter adds would be scaled too', async () => {
    const plain = syntheticModel({ architecture: 'qwen3moe', with: { ...small, experts: 4 } });
    const file = (tensors: RegExp) => syntheticAdapter(plain.tensors, { architecture: 'qwen3moe', tensors });
    const model = await load(withScales(plain), createReferenceBackend());
    const refused = { code: 'adapter_invalid', message: /no matrix blk.0.ffn_down_exps.weight/ };
    await assert.rejects(model.loadAdapter(await open(file(/exps.weight$/))), refused);
    await model.loadAdapter(await open(file(/(gate|up)_exps.weight$/)));
    await model.close();
  });

  test('a file that ends too soon', async () => {
    const bytes = encodeGguf(firstAdapter);
    const cut = openGguf(memoryReader(bytes.subarray(0, bytes.length - 5000), 'cut.gguf'));
    await assert.rejects(cut, { code: 'gguf_truncated' });
  });
});

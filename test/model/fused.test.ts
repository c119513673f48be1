/** Newer converters write matrices of one input as one: the same file, so written, gives the same bits. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type ArchitectureName, decoders } from '../../scripts/synthetic/architectures.ts';
import { encodeGguf, type GgufModel, type TensorPlan } from '../../scripts/synthetic/gguf-writer.ts';
import { syntheticModel } from '../../scripts/synthetic/model.ts';
import { createReferenceBackend } from '../../src/backend/reference/reference.ts';
import { memoryReader } from '../../src/gguf/memory-reader.ts';
import { openGguf } from '../../src/gguf/open.ts';
import { loadModel } from '../../src/model/load.ts';
import { probabilitiesOf } from '../support/agreement.ts';

const limits = { kvTokens: 64, maxBatchTokens: 16, maxOutputs: 16, stateSlots: 2 };
const shape = { width: 64, heads: 4, kvHeads: 2, ffn: 96, vocab: 400, layers: 4 };
const tokens = Int32Array.of(5, 17, 17, 300, 42, 8);

async function probabilities(model: GgufModel) {
  const file = await openGguf(memoryReader(encodeGguf(model), 'small.gguf'));
  const loaded = await loadModel(file, createReferenceBackend(), limits);
  const result = await probabilitiesOf(loaded, tokens);
  await loaded.close();
  return result;
}

/** The model with what `fuse` makes of neighbours in the place of the first of them, wherever it has all of them. */
function withFused(model: GgufModel, suffixes: readonly string[], fuse: (parts: TensorPlan[]) => TensorPlan) {
  const gone = new Set<string>();
  const made: TensorPlan[] = [];
  for (const { name } of model.tensors.filter(({ name }) => name.endsWith(`.${suffixes[0]}`))) {
    const names = suffixes.map(suffix => name.replace(/[^.]+\.\w+$/, suffix));
    const parts = names.flatMap(name => model.tensors.find(tensor => tensor.name === name) ?? []);
    if (parts.length !== suffixes.length) continue;
    for (const name of names) gone.add(name);
    made.push(fuse(parts));
  }
  return { ...model, tensors: [...model.tensors.filter(({ name }) => !gone.has(name)), ...made] };
}

/** One below the other. */
function stacked(name: string, parts: readonly TensorPlan[]): TensorPlan {
  const [first] = parts;
  const rows = parts.reduce((sum, { shape }) => sum + shape.at(-1)!, 0);
  return {
    ...first!,
    name: first!.name.replace(/attn_q/, name),
    shape: [...first!.shape.slice(0, -1), rows],
    bytes: () => parts.flatMap(part => [...part.bytes()]),
  };
}

/** One below the other for each expert. */
function interleaved([gate, up]: readonly TensorPlan[]): TensorPlan {
  const [columns = 0, rows = 0, experts = 0] = gate!.shape;
  const whole = (part: TensorPlan) => Buffer.concat([...part.bytes()]);
  return {
    ...gate!,
    name: gate!.name.replace('ffn_gate_exps', 'ffn_gate_up_exps'),
    shape: [columns, 2 * rows, experts],
    bytes: () => {
      const [first, second] = [whole(gate!), whole(up!)];
      const size = first.length / experts;
      const piece = (of: Uint8Array, expert: number) => of.subarray(expert * size, (expert + 1) * size);
      return Array.from({ length: experts }, (_, i) => [piece(first, i), piece(second, i)])
        .flat()
        .map(bytes => new Uint8Array(bytes));
    },
  };
}

const qkv = ['attn_q.weight', 'attn_k.weight', 'attn_v.weight'];
const synthetic = (architecture: ArchitectureName) => syntheticModel({ architecture, quant: 'Q4_0', with: shape });

describe('queries, keys and values in one matrix', () => {
  for (const architecture of decoders) {
    const apart = synthetic(architecture);
    const weights = withFused(apart, qkv, parts => stacked('attn_qkv', parts));
    // Always so, or never.
    if (weights.tensors.length === apart.tensors.length) continue;
    test(architecture, async () => {
      const expected = await probabilities(apart);
      assert.deepEqual(await probabilities(weights), expected);
      const biases = qkv.map(name => name.replace('weight', 'bias'));
      const both = withFused(weights, biases, parts => stacked('attn_qkv', parts));
      if (both.tensors.length < weights.tensors.length) assert.deepEqual(await probabilities(both), expected);
    });
  }
});

describe("experts' gates and ups in one matrix", () => {
  for (const architecture of decoders) {
    const apart = synthetic(architecture);
    if (!apart.tensors.some(({ name }) => name.endsWith('ffn_gate_exps.weight'))) continue;
    if (architecture === 'gpt-oss') continue;
    test(architecture, async () => {
      const fused = withFused(apart, ['ffn_gate_exps.weight', 'ffn_up_exps.weight'], interleaved);
      assert.ok(fused.tensors.length < apart.tensors.length);
      assert.deepEqual(await probabilities(fused), await probabilities(apart));
    });
  }
});

/** What a step costs a GPU before it computes anything: dispatches run one behind the other. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeGguf } from '../../scripts/synthetic/gguf-writer.ts';
import { syntheticModel } from '../../scripts/synthetic/model.ts';
import { layout } from '../../src/backend/parity/data.ts';
import { createWebGpuBackend } from '../../src/backend/webgpu/backend.ts';
import { memoryReader } from '../../src/gguf/memory-reader.ts';
import { openGguf } from '../../src/gguf/open.ts';
import { loadModel } from '../../src/model/load.ts';

/** Dispatches of a step in which each of some sequences decodes a token. */
async function dispatchesOf(layers: number, sequences: readonly number[], quant: 'Q4_K_M' | 'Q4_0'): Promise<number> {
  const backend = await createWebGpuBackend();
  const small = { width: 256, layers, heads: 4, kvHeads: 2, ffn: 512, vocab: 512, context: 512 };
  const file = await openGguf(memoryReader(encodeGguf(syntheticModel({ quant, with: small })), 'small.gguf'));
  const model = await loadModel(file, backend, { kvTokens: 1024, maxBatchTokens: 32, maxOutputs: 8 });
  const pages = (first: number) => Int32Array.from({ length: 10 }, (_, i) => first + i);
  const batch = layout(sequences.map((position, i) => ({ position, count: 1, pages: pages(10 * i) })));
  const before = backend.dispatches;
  await model.run({
    ...batch,
    ids: new Int32Array(batch.tokens).fill(1),
    positions: Int32Array.from(sequences),
    outputs: Int32Array.of(0),
  });
  const dispatches = backend.dispatches - before;
  // Throws what the device found wrong.
  await model.logits(Int32Array.of(0), new Float32Array(model.vocabSize));
  await model.close();
  return dispatches;
}

const most = 9;

for (const quant of ['Q4_0', 'Q4_K_M'] as const)
  for (const [title, sequences] of [
    ['a token behind few', [20]],
    ['a token behind many', [300]],
    ['tokens of several sequences', [20, 300]],
  ] as const)
    test(`${title} in ${quant}: at most ${most} dispatches a layer`, async () => {
      const [few, more] = [await dispatchesOf(2, sequences, quant), await dispatchesOf(6, sequences, quant)];
      assert.ok((more - few) / 4 <= most, `${(more - few) / 4} a layer`);
    });

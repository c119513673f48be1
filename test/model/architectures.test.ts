import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { ArchitectureName } from '../../scripts/synthetic/architectures.ts';
import type { MetaValue } from '../../scripts/synthetic/gguf-writer.ts';
import { type SyntheticOptions, writeSynthetic } from '../../scripts/synthetic/model.ts';
import { random } from '../../src/backend/parity-data.ts';
import { createReferenceBackend } from '../../src/backend/reference/reference.ts';
import { openGguf } from '../../src/gguf/open.ts';
import { loadModel } from '../../src/model/load.ts';
import { agreement, probabilitiesOf } from '../support/agreement.ts';
import { evaluate, withLlama } from '../support/llama-cpp.ts';

/**
 * Each architecture against llama.cpp on a small model of random weights, longer than its sliding window. F16 weights leave
 * both engines nearly exact, so anything forgotten (a norm, a bias, a rotation) stands out; quantised ones add the noise of
 * 8-bit activations, which is each engine's own.
 */
const variants: { readonly title: string; readonly options: SyntheticOptions }[] = [
  ...(['llama', 'qwen2', 'qwen3', 'phi3', 'gemma2', 'gemma3'] satisfies ArchitectureName[]).map(architecture => ({
    title: architecture,
    options: { architecture, with: { layers: 7, heads: 4, kvHeads: 2 } },
  })),
  { title: 'llama, wide heads', options: { with: { headWidth: 128, heads: 6, kvHeads: 2 } } },
  { title: 'llama, linear rope', options: { metadata: scaling('llama', 'linear', 4) } },
  { title: 'llama, YaRN', options: { metadata: scaling('llama', 'yarn', 4) } },
  { title: 'qwen2, YaRN', options: { architecture: 'qwen2', metadata: scaling('qwen2', 'yarn', 4) } },
  { title: 'gemma3, linear rope', options: { architecture: 'gemma3', metadata: scaling('gemma3', 'linear', 8) } },
];

function scaling(architecture: string, type: string, factor: number): Record<string, MetaValue> {
  return {
    [`${architecture}.rope.scaling.type`]: { type: 'string', value: type },
    [`${architecture}.rope.scaling.factor`]: { type: 'f32', value: factor },
    [`${architecture}.rope.scaling.original_context_length`]: { type: 'u32', value: 64 },
  };
}

const positions = 150;
const bounds = { F16: 1e-4, Q4_K_M: 0.02 } as const;

describe('architectures agree with llama.cpp', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'realm-architectures-'));
  });
  after(() => rm(folder, { recursive: true }));

  for (const quant of ['F16', 'Q4_K_M'] as const) {
    for (const { title, options } of variants) {
      test(`${title}, ${quant}`, async () => {
        const path = join(folder, `${title}-${quant}.gguf`);
        writeSynthetic(path, { quant, ...options });
        const { meanKl } = await compare(path);
        assert.ok(meanKl < bounds[quant], `mean KL ${meanKl}`);
      });
    }
  }
});

async function compare(path: string) {
  const next = random(1);
  const file = await openGguf(path);
  const backend = createReferenceBackend();
  const model = await loadModel(file, backend, { kvTokens: 512, maxBatchTokens: 64, maxOutputs: 64 });
  const tokens = Int32Array.from({ length: positions }, () => next() * model.vocabSize);
  const theirs = await withLlama(path, llama => evaluate(llama, tokens));
  const result = agreement(theirs, await probabilitiesOf(model, tokens));
  await model.close();
  await file.close();
  return result;
}

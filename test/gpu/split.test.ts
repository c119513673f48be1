/** A model whose first layers are on the CPU and the others on a GPU. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { syntheticAdapter } from '../../scripts/synthetic/adapter.ts';
import { encodeGguf, type GgufModel } from '../../scripts/synthetic/gguf-writer.ts';
import { syntheticModel } from '../../scripts/synthetic/model.ts';
import type { Backend } from '../../src/backend/backend.ts';
import { SplitBackend } from '../../src/backend/split/backend.ts';
import { splitAt } from '../../src/backend/split/placement.ts';
import { createWasmBackend } from '../../src/backend/wasm/create.ts';
import { createWebGpuBackend } from '../../src/backend/webgpu/backend.ts';
import { BackOff } from '../../src/engine/supervision/back-off.ts';
import { RestartingEngine } from '../../src/engine/supervision/restarting-engine.ts';
import { openEngine } from '../../src/engine/worker/handle.ts';
import { memoryReader } from '../../src/gguf/memory-reader.ts';
import { openGguf } from '../../src/gguf/open.ts';
import { loadModel } from '../../src/model/load.ts';
import { collect, request, tokensOf } from '../engine/support.ts';
import { everythingOf } from '../support/everything-of.ts';
import { losing } from './losing-opener.ts';

let folder: string;
let file: string;
const synthetic = syntheticModel({ quant: 'Q4_K_M', with: { tied: true } });
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'realm-split-'));
  file = join(folder, 'model.gguf');
  await writeFile(file, encodeGguf(synthetic));
});
after(() => rm(folder, { recursive: true }));

describe('a model on the CPU and a GPU', () => {
  const small = { width: 64, heads: 4, kvHeads: 2, ffn: 96, vocab: 360, layers: 2 };
  const models = {
    'of one kind': synthetic,
    'with experts': syntheticModel({ architecture: 'qwen3moe', with: small }),
  };
  for (const [kind, model] of Object.entries(models)) {
    test(`${kind} computes what it does on the CPU, with adapters, copies of pages and runs that are preempted`, async () => {
      const opened = (content: GgufModel) => openGguf(memoryReader(encodeGguf(content), 'memory.gguf'));
      const architecture = kind === 'with experts' ? 'qwen3moe' : 'llama';
      const adapter = syntheticAdapter(model.tensors, {
        architecture,
        tensors: /(attn|ffn)_(q|k|v|output|up|down)\.weight/,
      });
      const everythingOn = async (backend: Backend) => {
        const options = { kvTokens: 512, maxBatchTokens: 64, maxOutputs: 16 };
        return everythingOf(await loadModel(await opened(model), backend, options), () => opened(adapter));
      };
      const expected = await everythingOn(await createWasmBackend({ threads: 1 }));
      const sides = [await createWasmBackend({ threads: 1 }), await createWebGpuBackend()] as const;
      assert.deepEqual(await everythingOn(new SplitBackend(sides, splitAt(1, kind === 'of one kind'))), expected);
    });
  }

  test('is an engine like any other: many at once, prefixes, its layers as they were asked for', async () => {
    const asked = Array.from({ length: 4 }, (_, i) => ({
      ...request(i, 5 + 25 * i, { maxTokens: 5, sampling: i % 2 ? { temperature: 0.8, seed: i } : { temperature: 0 } }),
      tenant: `t${i}`,
    }));
    const options = { file, context: 256, streamMs: 0, threads: 1 };
    const cpu = await openEngine({ ...options, device: 'cpu' });
    const expected = [];
    for (const each of asked) expected.push(tokensOf(await collect(cpu.submit(each))));
    await cpu.close();
    const split = await openEngine({ ...options, device: 'gpu', gpuLayers: 1 });
    assert.match(split.info.backend, /^wasm .*; layers from 1 on: webgpu .*numerics: exact$/);
    assert.equal(split.info.onGpu, true);
    const together = await Promise.all(asked.map(each => collect(split.submit(each))));
    assert.deepEqual(together.map(tokensOf), expected);
    const again = await collect(split.submit({ ...asked[3]!, id: 'again' }));
    assert.deepEqual(tokensOf(again), expected[3]);
    const end = again.at(-1)!;
    assert.ok(end.kind === 'end' && end.usage.cachedTokens >= 64);
    await split.close();
  });

  test('that loses the GPU in the middle of an answer goes on, and the answer is whole', async t => {
    const opener = losing(4, join(folder, 'lost'), 'gone');
    const options = { file, context: 256, streamMs: 0, threads: 1 };
    const engine = await RestartingEngine.start(
      as => openEngine({ ...options, device: 'gpu', gpuLayers: 1, opener, ...as }),
      { backOff: new BackOff(10) },
    );
    t.after(() => engine.close());
    const asked = request(5, 20, { maxTokens: 6, sampling: { temperature: 0 } });
    const answer = await collect(engine.submit(asked));
    const cpu = await openEngine({ ...options, device: 'cpu' });
    assert.deepEqual(tokensOf(answer), tokensOf(await collect(cpu.submit(asked))));
    assert.equal(engine.health().restarts, 1);
    await cpu.close();
  });
});

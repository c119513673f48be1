/** What a file recommends as sampling holds for requests that do not say, behind what the operator says. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { writeGguf } from '../../scripts/synthetic/gguf-writer.ts';
import { syntheticModel } from '../../scripts/synthetic/model.ts';
import { loadModel } from '../../src/llm/load.ts';

test('the file, and the operator before it', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'realm-recommended-'));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, 'model.gguf');
  const metadata = {
    'general.sampling.temp': { type: 'f32', value: 0.5 },
    'general.sampling.top_k': { type: 'i32', value: 20 },
  } as const;
  writeGguf(path, syntheticModel({ quant: 'Q4_0', with: { layers: 1 }, metadata }));
  const model = await loadModel({ source: { path }, sampling: { topK: 7 } }, { threads: 1, device: 'cpu' });
  t.after(() => model.engine.close());
  assert.deepEqual(model.defaults.sampling, { temperature: 0.5, topK: 7 });
  model.setSampling?.({ temperature: 0 });
  assert.deepEqual(model.defaults.sampling, { temperature: 0, topK: 20 });
  model.setSampling?.(undefined);
  assert.deepEqual(model.defaults.sampling, { temperature: 0.5, topK: 20 });
});

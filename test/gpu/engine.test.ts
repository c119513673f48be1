/** The whole engine on a GPU: the same bytes whoever else is in the batch, and none is lost with the device. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { encodeGguf } from '../../scripts/synthetic/gguf-writer.ts';
import { syntheticModel } from '../../scripts/synthetic/model.ts';
import { BackOff } from '../../src/engine/supervision/back-off.ts';
import { RestartingEngine } from '../../src/engine/supervision/restarting-engine.ts';
import { openEngine } from '../../src/engine/worker/handle.ts';
import { collect, request, tokensOf } from '../engine/support.ts';
import { losing } from './losing-opener.ts';

let folder: string;
let file: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'realm-gpu-'));
  file = join(folder, 'model.gguf');
  await writeFile(file, encodeGguf(syntheticModel({ quant: 'Q4_K_M' })));
});
after(() => rm(folder, { recursive: true }));

/** What eight tenants ask: short and long prompts, greedy and sampled. */
const asked = Array.from({ length: 8 }, (_, i) => ({
  ...request(i, 5 + 13 * i, { maxTokens: 6, sampling: i % 2 ? { temperature: 0.8, seed: i } : { temperature: 0 } }),
  tenant: `t${i}`,
}));

describe('an engine on a GPU', () => {
  test('gives eight tenants at once what each gets alone, and what the CPU says', async () => {
    const options = { file, context: 256, streamMs: 0 };
    const cpu = await openEngine({ ...options, device: 'cpu', threads: 1 });
    const expected = [];
    for (const each of asked) expected.push(tokensOf(await collect(cpu.submit(each))));
    await cpu.close();
    // What is left of this machine's memory is none of its business.
    const gpu = await openEngine({ ...options, device: 'gpu', memory: 1 });
    assert.deepEqual([gpu.info.onGpu, gpu.info.device], [true, 'gpu:0']);
    const { pagesTotal, memory } = await gpu.stats();
    assert.deepEqual([pagesTotal, memory.gpu], [32, memory.weights + memory.kvCache + memory.work]);
    assert.match(gpu.info.backend, /^webgpu .*numerics: exact$/);
    const alone = [];
    for (const each of asked.slice(4)) alone.push(tokensOf(await collect(gpu.submit(each))));
    const together = await Promise.all(asked.map(async each => tokensOf(await collect(gpu.submit(each)))));
    await gpu.close();
    assert.deepEqual(together.slice(4), alone);
    assert.deepEqual(together, expected);
  });

  for (const then of ['back', 'gone'] as const) {
    test(`that is lost in the middle of answers, and is ${then} afterwards: everybody gets the whole answer`, async t => {
      const opener = losing(4, join(folder, then), then);
      const engine = await RestartingEngine.start(
        as => openEngine({ file, context: 256, streamMs: 0, device: 'gpu', opener, ...as }),
        { backOff: new BackOff(10) },
      );
      t.after(() => engine.close());
      const cpu = await openEngine({ file, context: 256, device: 'cpu', threads: 1 });
      const some = asked.slice(0, 3);
      const answers = await Promise.all(some.map(each => collect(engine.submit(each))));
      for (const [i, each] of some.entries()) {
        assert.deepEqual(tokensOf(answers[i]!), tokensOf(await collect(cpu.submit(each))));
        assert.equal(answers[i]!.at(-1)?.kind, 'end');
      }
      assert.equal(engine.health().restarts, 1);
      await cpu.close();
    });
  }

  test('that is not there is an error with gpu, and the CPU with auto', async () => {
    await assert.rejects(openEngine({ file, device: 'gpu:7' }), { code: 'kernel_unavailable', message: /no GPU 7/ });
    await assert.rejects(openEngine({ file, device: 'tpu' as 'gpu' }), { code: 'invalid_request' });
    const engine = await openEngine({ file, context: 64, threads: 1 });
    // SwiftShader is no GPU that anybody wants.
    assert.match(engine.info.backend, /^wasm/);
    assert.equal(engine.info.remarks, undefined);
    await engine.close();
  });
});

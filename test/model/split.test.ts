/** Models whose first layers are on one backend and the others on another: everything is as on one. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { syntheticAdapter } from '../../scripts/synthetic/adapter.ts';
import { type ArchitectureName, recipes } from '../../scripts/synthetic/architectures.ts';
import { encodeGguf, type GgufModel } from '../../scripts/synthetic/gguf-writer.ts';
import { syntheticModel } from '../../scripts/synthetic/model.ts';
import type { Shape } from '../../scripts/synthetic/shapes.ts';
import type { Backend } from '../../src/backend/backend.ts';
import { createReferenceBackend } from '../../src/backend/reference/reference.ts';
import { SplitBackend } from '../../src/backend/split/backend.ts';
import { splitAt, splittable } from '../../src/backend/split/placement.ts';
import { createWasmBackend } from '../../src/backend/wasm/create.ts';
import { createEngine } from '../../src/engine/engine.ts';
import { memoryReader } from '../../src/gguf/memory-reader.ts';
import { openGguf } from '../../src/gguf/open.ts';
import { loadModel } from '../../src/model/load.ts';
import type { Model } from '../../src/model/types.ts';
import { collect, request, tokensOf } from '../engine/support.ts';
import { everythingOf } from '../support/everything-of.ts';

const folder = await mkdtemp(join(tmpdir(), 'realm-split-'));
after(() => rm(folder, { recursive: true }));

const layers = 3;
const small = { width: 64, heads: 4, kvHeads: 2, ffn: 96, vocab: 360, layers };
const open = (model: GgufModel) => openGguf(memoryReader(encodeGguf(model), 'memory.gguf'));

async function load(model: GgufModel, backend: Backend): Promise<Model> {
  return loadModel(await open(model), backend, { kvTokens: 512, maxBatchTokens: 64, maxOutputs: 16 });
}

const tensorsOf = (model: GgufModel) => splittable(new Map(model.tensors.map(({ name }) => [name, { bytes: 1 }])));
const splitOf = (model: GgufModel, border: number, first: Backend, last: Backend) =>
  new SplitBackend([first, last], splitAt(border, tensorsOf(model).tied));

describe('a model split at any layer gives the bits of the whole one', () => {
  const cases: readonly { architecture: ArchitectureName; tied?: boolean; sizes?: Partial<Shape> }[] = [
    { architecture: 'llama' },
    { architecture: 'llama', tied: true },
    { architecture: 'gemma2' },
    { architecture: 'phi3' },
    { architecture: 'qwen3moe' },
    { architecture: 'qwen2moe' },
    { architecture: 'glm4moe' },
    { architecture: 'deepseek2' },
    { architecture: 'granite' },
    { architecture: 'olmo2' },
    // The last layer sees the keys of the first, wherever that is.
    { architecture: 'gemma4-e2b', sizes: { fullEvery: 2, sharedLayers: 1 } },
    { architecture: 'gemma4-a4b' },
  ];
  for (const { architecture, tied, sizes } of cases) {
    test(`${architecture}${tied ? ', tied' : ''}`, async () => {
      const file = syntheticModel({ architecture, quant: 'Q8_0', with: { ...small, ...sizes, ...(tied && { tied }) } });
      assert.equal(tensorsOf(file).layers, layers);

      const tensors = /^(?!.*(gate_inp|attn_[kv]_b)|per_layer_token).*\.weight$/;
      const adapter = syntheticAdapter(file.tensors, { architecture: recipes[architecture].name, tensors });
      const expected = await everythingOf(await load(file, createReferenceBackend()), () => open(adapter));
      for (let border = 0; border <= layers; border++) {
        const split = splitOf(file, border, createReferenceBackend(), createReferenceBackend());
        assert.deepEqual(await everythingOf(await load(file, split), () => open(adapter)), expected, `at ${border}`);
      }
    });
  }

  test('on the CPU and another, either first', async () => {
    const file = syntheticModel({ quant: 'Q4_K_M', with: { ...small, width: 256, ffn: 256 } });
    const adapter = syntheticAdapter(file.tensors);
    const whole = await everythingOf(await load(file, await createWasmBackend({ threads: 1 })), () => open(adapter));
    for (const cpuFirst of [true, false]) {
      const sides = [await createWasmBackend({ threads: 1 }), createReferenceBackend()] as const;
      const split = cpuFirst ? splitOf(file, 2, ...sides) : splitOf(file, 1, sides[1], sides[0]);
      assert.deepEqual(await everythingOf(await load(file, split), () => open(adapter)), whole);
    }
  });
});

test('a step crosses over once, and nothing goes back but what is asked for', async () => {
  const file = syntheticModel({ quant: 'Q8_0', with: { ...small, tied: true } });
  const crossed: string[] = [];
  const counted = (name: string): Backend => {
    const backend = createReferenceBackend();
    const { download, run } = backend;
    return Object.assign(backend, {
      download(...[buffer, rows, into]: Parameters<Backend['download']>) {
        crossed.push(`${rows.length} rows of ${buffer.columns} from ${name}`);
        return download.call(backend, buffer, rows, into);
      },
      run(...args: Parameters<Backend['run']>) {
        crossed.push(`run ${name}`);
        return run.apply(backend, args);
      },
    });
  };
  const model = await load(file, splitOf(file, 1, counted('first'), counted('last')));
  model.copyPages(Int32Array.of(4, 5));
  const pages = Int32Array.of(0);
  await model.run({
    tokens: 3,
    ids: Int32Array.of(5, 6, 7),
    positions: Int32Array.of(0, 1, 2),
    outputs: Int32Array.of(2),
    segments: [{ start: 0, count: 3, position: 0, pages }],
  });
  // What the first layer on the other side normalises, and what it adds to.
  const steps = crossed.filter((each, i) => each !== crossed[i - 1]);
  assert.deepEqual(steps, ['run first', '3 rows of 64 from first', 'run last']);
  await model.close();
});

test('engines on a split find prefixes, and go on with sessions', async () => {
  const file = syntheticModel({ quant: 'Q8_0', with: small });
  const engineOn = async (backend: Backend) => {
    const model = await load(file, backend);
    return createEngine(model, { backend: backend.name, fileSize: 0, loadMs: 0 }, {}, { fingerprint: 'm' });
  };
  const split = (border: number) => splitOf(file, border, createReferenceBackend(), createReferenceBackend());
  const whole = await engineOn(createReferenceBackend());
  const [one, two, other] = [await engineOn(split(1)), await engineOn(split(1)), await engineOn(split(2))];
  const asked = request(3, 70, { maxTokens: 8, sampling: { temperature: 0.7, seed: 3 } });
  const expected = tokensOf(await collect(whole.submit(asked)));
  for (const cached of [0, 64]) {
    const events = await collect(one.submit({ ...asked, id: `c${cached}` }));
    assert.deepEqual(tokensOf(events), expected);
    const end = events.at(-1)!;
    assert.ok(end.kind === 'end' && end.usage.cachedTokens === cached);
  }
  const session = { tenant: 'a', path: join(folder, 'session'), seal: new Uint8Array(32).fill(7) };
  await one.saveSession(session, [...asked.prompt, ...expected]);
  assert.ok((await two.restoreSession(session)).computed >= 64);
  const next = { ...asked, id: 'next', prompt: [...asked.prompt, ...expected, ...request(4, 20).prompt] };
  const events = await collect(two.submit(next));
  assert.deepEqual(tokensOf(events), tokensOf(await collect(whole.submit(next))));
  const end = events.at(-1)!;
  assert.ok(end.kind === 'end' && end.usage.cachedTokens >= 64);
  await assert.rejects(other.restoreSession(session), { code: 'session_mismatch' });
  for (const engine of [whole, one, two, other]) await engine.close();
});

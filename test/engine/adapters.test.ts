import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { encodeGguf } from '../../scripts/synthetic/gguf-writer.ts';
import { openEngine } from '../../src/engine/worker/handle.ts';
import { embed } from '../../src/llm/embed.ts';
import { ScriptedModel } from './scripted-model.ts';
import { collect, engineOf, expectedAnswer, expectedEmbedding, promptOf, request, tokensOf } from './support.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'realm-engine-adapters-'));
});
after(() => rm(folder, { recursive: true }));

/** A file that the scripted model takes for an adapter. */
async function fileOf(salt: number): Promise<string> {
  const path = join(folder, `${salt}.gguf`);
  await writeFile(path, encodeGguf({ metadata: new Map([['salt', { type: 'u32', value: salt }]]), tensors: [] }));
  return path;
}

const cachedTokens = async (events: ReturnType<typeof collect>) => {
  const end = (await events).at(-1)!;
  return end.kind === 'end' ? end.usage.cachedTokens : end;
};

test('different adapters in one batch, each answer its own', async () => {
  const model = new ScriptedModel();
  const engine = engineOf(model);
  await engine.loadAdapter('x', await fileOf(1));
  await engine.loadAdapter('y', await fileOf(2));
  const names = ['x', undefined, 'y', 'x', undefined, 'y'];
  let mixed = 0;
  model.beforeRun = ({ segments }) => {
    const adapters = segments.map(({ adapter }) => adapter);
    const runs = adapters.filter((adapter, i) => i === 0 || adapter !== adapters[i - 1]).length;
    assert.equal(runs, new Set(adapters).size, 'rows of one adapter lie apart');
    mixed = Math.max(mixed, runs);
  };
  const requests = names.map((adapter, i) => request(i, 20 + 9 * i, { adapter, tenant: `t${i % 2}` }));
  const answers = await Promise.all(requests.map(each => collect(engine.submit(each))));
  const salts = new Map([['x', 1] as const, ['y', 2] as const]);
  for (const [i, each] of requests.entries())
    assert.deepEqual(tokensOf(answers[i]!), expectedAnswer(each, 32, 512, salts.get(each.adapter as 'x')));
  assert.equal(mixed, 3);
  await engine.close();
});

test('cached prefixes are shared with the same adapter only, and not with a later one of its name', async () => {
  const engine = engineOf(new ScriptedModel());
  await engine.loadAdapter('x', await fileOf(1));
  await engine.loadAdapter('y', await fileOf(2));
  const ask = (adapter?: string) => cachedTokens(collect(engine.submit(request(1, 100, { adapter, maxTokens: 1 }))));
  assert.deepEqual([await ask('x'), await ask('x'), await ask(), await ask('y')], [0, 96, 0, 0]);
  assert.deepEqual([await ask('x'), await ask(), await ask('y')], [96, 96, 96]);
  await engine.unloadAdapter('x');
  await engine.loadAdapter('x', await fileOf(3));
  assert.deepEqual([await ask('x'), await ask('x')], [0, 96]);
  await engine.close();
});

test('an adapter in use stays until its requests have ended; new ones do not get it', async () => {
  const model = new ScriptedModel();
  const engine = engineOf(model);
  await engine.loadAdapter('x', await fileOf(1));
  const asked = request(1, 20, { adapter: 'x', maxTokens: 50 });
  // The model itself fails when an adapter that was freed is in a batch.
  const events = [];
  let unloading: Promise<void> | undefined;
  for await (const event of engine.submit(asked)) {
    events.push(event);
    if (unloading) continue;
    unloading = engine.unloadAdapter('x');
    assert.equal(model.adapters.size, 1);
    const [refused] = await collect(engine.submit(asked));
    assert.ok(refused?.kind === 'error' && refused.code === 'adapter_not_found');
  }
  await unloading;
  assert.equal(model.adapters.size, 0);
  assert.deepEqual(tokensOf(events), expectedAnswer(asked, 32, 512, 1));
  await engine.close();
});

test('an adapter whose last request is cancelled goes at once', async () => {
  const model = new ScriptedModel();
  const engine = engineOf(model);
  await engine.loadAdapter('x', await fileOf(1));
  const controller = new AbortController();
  let unloading: Promise<void> | undefined;
  for await (const event of engine.submit(request(1, 20, { adapter: 'x', maxTokens: 400 }), controller.signal)) {
    if (event.kind !== 'token' || unloading) continue;
    unloading = engine.unloadAdapter('x');
    controller.abort();
  }
  await unloading;
  assert.equal(model.adapters.size, 0);
  await engine.close();
});

test('what cannot be loaded or unloaded is refused by a code', async () => {
  const engine = engineOf(new ScriptedModel());
  const path = await fileOf(1);
  const both = await Promise.allSettled([engine.loadAdapter('x', path), engine.loadAdapter('x', path)]);
  assert.deepEqual(
    both.map(({ status }) => status),
    ['fulfilled', 'rejected'],
  );
  await assert.rejects(engine.loadAdapter('x', path), { code: 'adapter_exists' });
  await assert.rejects(engine.unloadAdapter('z'), { code: 'adapter_not_found' });
  await assert.rejects(engine.loadAdapter('y', join(folder, 'none.gguf')), { code: 'model_file_missing' });
  await writeFile(join(folder, 'text.gguf'), 'GGUF, not really');
  await assert.rejects(engine.loadAdapter('y', join(folder, 'text.gguf')), /gguf|not/i);
  await writeFile(join(folder, 'plain.gguf'), encodeGguf({ metadata: new Map(), tensors: [] }));
  await assert.rejects(engine.loadAdapter('y', join(folder, 'plain.gguf')), { code: 'adapter_invalid' });
  await engine.loadAdapter('y', path);
  await engine.close();
  await assert.rejects(engine.loadAdapter('z', path), { code: 'shutting_down' });
});

test('adapters and embeddings through the worker', async () => {
  const opener = new URL('./scripted-opener.ts', import.meta.url).href;
  const engine = await openEngine({ file: 'good', opener });
  await engine.loadAdapter('x', await fileOf(7));
  const asked = request(1, 40, { adapter: 'x' });
  assert.deepEqual(tokensOf(await collect(engine.submit(asked))), expectedAnswer(asked, 32, 512, 7));
  const { values, usage } = await embed(engine, { id: 'e', tenant: 'a', prompt: asked.prompt, adapter: 'x' });
  assert.deepEqual(values, expectedEmbedding(asked.prompt, 'last', 7));
  assert.equal(usage.completionTokens, 0);
  await assert.rejects(engine.loadAdapter('x', await fileOf(7)), { code: 'adapter_exists' });
  await engine.unloadAdapter('x');
  const unknown = embed(engine, { id: 'e', tenant: 'a', prompt: asked.prompt, adapter: 'x' });
  await assert.rejects(unknown, { code: 'adapter_not_found', param: 'model' });
  await engine.close();
  await assert.rejects(engine.loadAdapter('x', 'anything'), { code: 'shutting_down' });
});

for (const pooling of ['mean', 'cls', 'last'] as const) {
  test(`embeddings (${pooling}) are the same alone, in pieces, among others and after a cached prefix`, async () => {
    const tokens = promptOf(7, 150);
    const expected = expectedEmbedding(tokens, pooling);
    for (const options of [{}, { maxBatchedTokens: 40, prefillChunk: 7 }]) {
      const engine = engineOf(new ScriptedModel({ pooling }), options);
      const others = Array.from({ length: 6 }, (_, i) => collect(engine.submit(request(i, 10 + 20 * i))));
      for (const round of [0, 1]) {
        const { values, usage } = await embed(engine, { id: 'e', tenant: 'a', prompt: tokens });
        assert.deepEqual(values, expected);
        const cached = pooling === 'last' && round === 1 ? 128 : 0;
        assert.deepEqual(usage, { promptTokens: 150, cachedTokens: cached, completionTokens: 0 });
      }
      await Promise.all(others);
      await engine.close();
    }
  });
}

test('texts that cannot be embedded', async () => {
  const engine = engineOf(new ScriptedModel());
  const ask = (tokens: ReturnType<typeof promptOf>) => embed(engine, { id: 'e', tenant: 'a', prompt: tokens });
  assert.equal((await ask(promptOf(1, 512))).usage.promptTokens, 512);
  await assert.rejects(ask(promptOf(1, 513)), { code: 'context_length_exceeded' });
  await assert.rejects(ask([]), { code: 'invalid_request' });
  const aborted = embed(engine, { id: 'e', tenant: 'a', prompt: promptOf(1, 9) }, AbortSignal.abort());
  await assert.rejects(aborted, { code: 'request_cancelled' });
  await engine.close();
  const ranker = engineOf(new ScriptedModel({ pooling: 'rank' }));
  await assert.rejects(embed(ranker, { id: 'e', tenant: 'a', prompt: promptOf(1, 9) }), { code: 'invalid_request' });
  await ranker.close();
});

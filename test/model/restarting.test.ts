/** A real model's engine that dies again and again: the same bits afterwards, and its memory comes back. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { syntheticAdapter } from '../../scripts/synthetic/adapter.ts';
import { encodeGguf } from '../../scripts/synthetic/gguf-writer.ts';
import { syntheticModel } from '../../scripts/synthetic/model.ts';
import { BackOff } from '../../src/engine/supervision/back-off.ts';
import { RestartingEngine } from '../../src/engine/supervision/restarting-engine.ts';
import { openEngine } from '../../src/engine/worker/handle.ts';
import { mortal } from '../engine/mortal-opener.ts';
import { collect, request, tokensOf } from '../engine/support.ts';

let folder: string;
let file: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'realm-restarting-'));
  file = join(folder, 'model.gguf');
  const model = syntheticModel({ quant: 'Q8_0' });
  await writeFile(file, encodeGguf(model));
  await writeFile(join(folder, 'lora.gguf'), encodeGguf(syntheticAdapter(model.tensors)));
});
after(() => rm(folder, { recursive: true }));

const asked = request(1, 20, { maxTokens: 30, sampling: { temperature: 0.8, seed: 5 } });

for (const how of ['compute', 'hang', 'exit']) {
  test(`${how}: the answer of the next engine is what this one would have said`, { timeout: 120_000 }, async t => {
    const sound = await openEngine({ file, threads: 2, context: 256 });
    const expected = tokensOf(await collect(sound.submit(asked)));
    await sound.close();
    assert.equal(expected.length, 30);
    const opener = mortal(how, 1, join(folder, how), true);
    const engine = await RestartingEngine.start(
      as => openEngine({ file, threads: 2, context: 256, ...as, opener, watchdogMs: 1_000 }),
      { backOff: new BackOff(10) },
    );
    t.after(() => engine.close());
    assert.deepEqual(tokensOf(await collect(engine.submit(asked))), expected);
    assert.equal(engine.health().restarts, 1);
  });
}

test('adapters and sessions are there in the next engine', { timeout: 120_000 }, async t => {
  const opener = mortal('exit', 50, join(folder, 'adapted'), true);
  const engine = await RestartingEngine.start(
    as => openEngine({ file, threads: 2, context: 256, streamMs: 0, ...as, opener }),
    { backOff: new BackOff(10) },
  );
  t.after(() => engine.close());
  const session = { tenant: 'a', path: join(folder, 'kept.session'), seal: new Uint8Array(32).fill(1) };
  const [long, adapted] = [request(2, 100, { maxTokens: 1 }), { ...asked, maxTokens: 10, adapter: 'lora' }];
  await engine.loadAdapter('lora', join(folder, 'lora.gguf'));
  const expected = tokensOf(await collect(engine.submit(adapted)));
  await collect(engine.submit(long));
  assert.equal((await engine.saveSession(session, long.prompt)).computed, 96);
  assert.equal(engine.health().restarts, 0);
  // Until it has died.
  while (engine.health().restarts === 0) {
    await collect(engine.submit(asked));
    await sleep(10);
  }
  assert.deepEqual(tokensOf(await collect(engine.submit(adapted))), expected);
  assert.equal((await engine.restoreSession(session)).computed, 96);
  const end = (await collect(engine.submit(long))).at(-1)!;
  assert.ok(end.kind === 'end' && end.usage.cachedTokens === 96, JSON.stringify(end));
});

test('a dead engine gives its memory back', { timeout: 120_000 }, async t => {
  let life = 0;
  const kvTokens = 16_384;
  const opener = () => mortal('exit', 8, join(folder, `life${life++}`), true);
  const engine = await RestartingEngine.start(
    as => openEngine({ file, threads: 2, context: 256, kvTokens, streamMs: 0, ...as, opener: opener() }),
    { backOff: new BackOff(1, 1) },
  );
  t.after(() => engine.close());
  const resident = async (): Promise<number> => {
    while (engine.health().state !== 'running') await sleep(5);
    const { memory } = await engine.stats();
    assert.ok(memory.weights > 0);
    return process.memoryUsage.rss() / 1e6;
  };
  const die = async (): Promise<void> => {
    const lives = engine.health().restarts;
    assert.ok(tokensOf(await collect(engine.submit(asked))).length > 0);
    // What it had begun goes on in the next engine, which dies of it too.
    while (engine.health().restarts < lives + 2 || engine.health().state !== 'running') await sleep(5);
  };
  for (let i = 0; i < 2; i++) await die();
  const warm = await resident();
  for (let i = 0; i < 6; i++) await die();
  const later = await resident();
  assert.ok(later - warm < 30, `${warm} MB after 2 deaths, ${later} after 8`);
});

import assert from 'node:assert/strict';
import { copyFile, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createEngine } from '../../src/engine/engine.ts';
import type { EngineOptions } from '../../src/engine/options.ts';
import { ScriptedModel } from './scripted-model.ts';
import { collect, expectedAnswer, request, tokensOf } from './support.ts';

const folder = await mkdtemp(join(tmpdir(), 'realm-sessions-'));
after(() => rm(folder, { recursive: true }));
const seal = new Uint8Array(32).fill(7);
const first = request(3, 150, { maxTokens: 30 });

function engineWith(fingerprint = 'm', options: EngineOptions = {}, pages = 64) {
  return createEngine(new ScriptedModel({ pages }), { backend: 'scripted', fileSize: 0, loadMs: 0 }, options, {
    fingerprint,
  });
}

/** What was asked and answered, saved by an engine that is gone since. */
async function saved(name: string) {
  const engine = engineWith();
  const path = join(folder, name);
  const tokens = [...first.prompt, ...tokensOf(await collect(engine.submit(first)))];
  const info = await engine.saveSession({ tenant: 'a', path, seal }, tokens);
  assert.equal((await engine.stats()).pagesUsed, 5);
  await engine.close();
  return { path, tokens, info };
}

test('a sequence goes on in another engine as if it had never left', async () => {
  const { path, tokens, info } = await saved('one');
  assert.deepEqual([info.tokens, info.computed], [180, 160]);
  const engine = engineWith();
  const busy = collect(engine.submit(request(9, 40, { tenant: 'b', maxTokens: 300 })));
  assert.deepEqual(await engine.restoreSession({ tenant: 'a', path, seal }), { tokens: 180, computed: 160 });
  const next = { ...first, prompt: [...tokens, ...request(4, 20).prompt] };
  for (const tenant of ['a', 'b']) {
    const events = await collect(engine.submit({ ...next, tenant }));
    assert.deepEqual(tokensOf(events), expectedAnswer(next, 32, 512));
    const end = events.at(-1)!;
    assert.ok(end.kind === 'end');
    assert.equal(end.usage.cachedTokens, tenant === 'a' ? 160 : 0);
  }
  // Once more: the cache has it all.
  assert.deepEqual(await engine.restoreSession({ tenant: 'a', path, seal }), { tokens: 180, computed: 160 });
  await busy;
  await engine.close();
});

test('a session of another tenant, model, adapter or server is refused, and nothing stays behind', async () => {
  const { path } = await saved('bound');
  const engine = engineWith();
  const other = engineWith('other weights');
  const restore = { tenant: 'a', path, seal };
  await assert.rejects(engine.restoreSession({ ...restore, tenant: 'b' }), { code: 'session_mismatch' });
  await assert.rejects(other.restoreSession(restore), { code: 'session_mismatch' });
  await assert.rejects(engine.restoreSession({ ...restore, adapter: 'x' }), { code: 'adapter_not_found' });
  await assert.rejects(engine.restoreSession({ ...restore, seal: new Uint8Array(32) }), { code: 'session_corrupted' });
  await assert.rejects(engine.restoreSession({ ...restore, path: join(folder, 'nothing') }), {
    code: 'session_not_found',
  });
  assert.equal((await engine.stats()).pagesUsed, 0);
  await engine.close();
  await other.close();
});

test('wherever a file is damaged or cut, it is refused and nothing stays behind', async () => {
  const { path } = await saved('damaged');
  const bytes = await readFile(path);
  const engine = engineWith();
  const copy = join(folder, 'copy');
  const restore = { tenant: 'a', path: copy, seal };
  for (let at = 0; at < bytes.length; at += 13) {
    const changed = Uint8Array.from(bytes);
    changed[at]! ^= 0x10;
    await writeFile(copy, changed);
    await assert.rejects(engine.restoreSession(restore), { code: 'session_corrupted' }, `byte ${at}`);
  }
  for (const length of [0, 5, 12, 100, bytes.length - 1]) {
    await copyFile(path, copy);
    await truncate(copy, length);
    await assert.rejects(engine.restoreSession(restore), { code: 'session_corrupted' }, `${length} bytes`);
  }
  await writeFile(copy, Buffer.concat([bytes, bytes]));
  await assert.rejects(engine.restoreSession(restore), { code: 'session_corrupted' });
  assert.equal((await engine.stats()).pagesUsed, 0);
  await engine.close();
});

test('a small cache takes what it has room for, and the answer is the same', async () => {
  const { path, tokens } = await saved('small');
  const engine = engineWith('m', { cacheQuota: 1 }, 8);
  const busy = collect(engine.submit(request(9, 120, { tenant: 'b', maxTokens: 60 })));
  const { computed } = await engine.restoreSession({ tenant: 'a', path, seal });
  assert.ok(computed <= 160, `${computed}`);
  const next = { ...first, prompt: tokens, maxTokens: 5 };
  assert.deepEqual(tokensOf(await collect(engine.submit(next))), expectedAnswer(next, 32, 256));
  await busy;
  await engine.close();
});

test('what cannot be written is refused by name and leaves no file', async () => {
  const engine = engineWith();
  await collect(engine.submit(first));
  const request = { tenant: 'a', path: join(folder, 'no such folder', 'x'), seal };
  await assert.rejects(engine.saveSession(request, first.prompt), { code: 'session_failed' });
  assert.deepEqual(
    (await readdir(folder)).filter(name => name.endsWith('.part')),
    [],
  );
  await engine.close();
});

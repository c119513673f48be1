/** A server whose engine dies in the middle of its work and is started again: what clients, probes and the log see. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { BackOff } from '../../src/engine/supervision/back-off.ts';
import { RestartingEngine } from '../../src/engine/supervision/restarting-engine.ts';
import { openEngine } from '../../src/engine/worker/handle.ts';
import { textGeneration } from '../../src/llm/generate.ts';
import { mortal } from '../engine/mortal-opener.ts';
import { frames, post, ScriptedModel, scripted, tokenizer } from './scripted.ts';

/** A model that dies in its tenth step, with room for two at once, beside one that does not. */
async function setUp(t: TestContext, backOff: BackOff) {
  const folder = await mkdtemp(join(tmpdir(), 'realm-restarting-'));
  const opener = mortal('exit', 10, join(folder, 'dead'));
  const engine = await RestartingEngine.start(
    () => openEngine({ file: 'any', opener, streamMs: 0, maxRunning: 2, prefillMs: 1000 }),
    { backOff },
  );
  t.after(async () => {
    await engine.close();
    await rm(folder, { recursive: true });
  });
  const small = {
    ...tokenizer,
    endOfGeneration: new Set<never>(),
    encode: (text: string) => tokenizer.encode(text).map(id => (2 + (id % 29)) as typeof id),
  };
  const generate = textGeneration(engine, { tokenizer: small });
  const dying = Object.assign(new ScriptedModel('dying', { answer: () => '' }), { engine, tokenizer: small, generate });
  const other = new ScriptedModel('other', { answer: () => 'alive' });
  const { app } = scripted({ answer: () => '' }, { models: [dying, other], anyModelName: false });
  const ask = (model: string, content: string, stream = false) =>
    app.fetch(
      post('/v1/chat/completions', { model, stream, max_tokens: 40, messages: [{ role: 'user', content }] }),
    ) as Promise<Response>;
  const status = async (path: string) => (await app.fetch(new Request(`http://localhost${path}`))).status;
  return { engine, ask, status };
}

test('everybody gets the whole answer, in the middle of it or not, and nobody restarts a server', async t => {
  const { engine, ask, status } = await setUp(t, new BackOff(10));
  const answers = await Promise.all([1, 2, 3, 4, 5].map(i => ask('dying', `Hello ${i}`, true)));
  const all = await Promise.all(answers.map(frames));
  assert.deepEqual(
    all.map(each => each.at(-1)),
    Array(5).fill('[DONE]'),
  );
  assert.equal(engine.health().restarts, 1);
  assert.deepEqual([await status('/health'), await status('/ready')], [200, 200]);
  assert.equal((await ask('dying', 'Hello 6')).status, 200);
});

test('until it is back: 503 with Retry-After, degraded, and the other model answers', async t => {
  const { engine, ask, status } = await setUp(t, new BackOff(2_000));
  const cut = ask('dying', 'Hello');
  while (engine.health().state !== 'restarting') await sleep(5);
  const refused = await ask('dying', 'Hello');
  assert.deepEqual([refused.status, (await refused.json()).error.code], [503, 'engine_unavailable']);
  assert.match(refused.headers.get('retry-after')!, /^[1-3]$/);
  assert.equal((await ask('other', 'Hello')).status, 200);
  assert.deepEqual([await status('/health'), await status('/ready')], [200, 200]);
  const whole = await (await cut).json();
  assert.equal(whole.usage.completion_tokens, 40);
  assert.equal((await ask('dying', 'Hello')).status, 200);
});

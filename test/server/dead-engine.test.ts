/** An engine's thread that dies under a server: its requests fail, another model goes on, and health says so. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { EngineHealth } from '../../src/engine/types.ts';
import { openEngine } from '../../src/engine/worker/handle.ts';
import { textGeneration } from '../../src/llm/generate.ts';
import type { LoadedModel } from '../../src/llm/load.ts';
import { watchEngine } from '../../src/server/watch-engine.ts';
import { frames, post, ScriptedModel, scripted, tokenizer } from './scripted.ts';

const opener = new URL('../engine/scripted-opener.ts', import.meta.url).href;
const chat = '/v1/chat/completions';

/** Its worker is real; every character of the prompt is a token that the scripted model knows. */
async function mortal(t: TestContext): Promise<LoadedModel> {
  const engine = await openEngine({ file: 'exits while running', opener });
  t.after(() => engine.close());
  const small = {
    ...tokenizer,
    encode: (text: string) => tokenizer.encode(text).map(id => (2 + (id % 29)) as typeof id),
  };
  const model = new ScriptedModel('mortal', { answer: () => '' });
  return Object.assign(model, { engine, tokenizer: small, generate: textGeneration(engine, { tokenizer: small }) });
}

const ask = (model: string, stream = false) =>
  post(chat, { model, stream, max_tokens: 100, messages: [{ role: 'user', content: 'Hi' }] });

test('one model of two dies: its requests fail with engine_failed, the other answers, health is degraded', async t => {
  const [dying, other] = [await mortal(t), new ScriptedModel('other', { answer: () => 'alive' })];
  const { app, services, lines } = scripted({ answer: () => '' }, { models: [dying, other], anyModelName: false });
  watchEngine(dying, services.logger);
  const get = async (path: string) => {
    const response = await app.fetch(new Request(`http://localhost${path}`));
    return [response.status, await response.json()];
  };
  const devices = (models: number) => [{ device: 'cpu', models, memory_bytes: 0 }];
  assert.deepEqual(await get('/health'), [200, { status: 'ok', devices: devices(2) }]);

  const [streamed, whole] = await Promise.all([app.fetch(ask('mortal', true)), app.fetch(ask('mortal'))]);
  const last = (await frames(streamed)).at(-1);
  assert.equal(last.error.code, 'engine_failed');
  assert.match(last.error.message, /thread ended \(7\)/);
  assert.equal(whole.status, 500);
  assert.equal((await whole.json()).error.code, 'engine_failed');

  const later = await app.fetch(ask('mortal'));
  assert.deepEqual([later.status, (await later.json()).error.code], [500, 'engine_failed']);
  const alive = await app.fetch(ask('other'));
  assert.equal((await alive.json()).choices[0].message.content, 'alive');

  assert.deepEqual(await get('/health'), [200, { status: 'degraded', failed_models: 1, devices: devices(1) }]);
  assert.deepEqual(await get('/ready'), [200, { status: 'ready' }]);
  const deaths = lines.filter(line => line.message === 'engine ended');
  assert.deepEqual(
    deaths.map(({ level, model, code }) => [level, model, code]),
    [['error', 'mortal', 'engine_failed']],
  );
  const metrics = await (await app.fetch(new Request('http://localhost/metrics'))).text();
  assert.match(metrics, /realm_sequences_running\{model="other"\}/);
});

test('when no model is left, health and ready are errors; a server that stops is no failure', async t => {
  const dying = await mortal(t);
  const { app, services } = scripted({ answer: () => '' }, { models: [dying] });
  await app.fetch(ask('mortal'));
  for (const path of ['/health', '/ready']) {
    const response = await app.fetch(new Request(`http://localhost${path}`));
    assert.deepEqual([response.status, (await response.json()).error.code], [500, 'engine_failed']);
  }
  services.state.phase = 'draining';
  assert.equal((await app.fetch(new Request('http://localhost/health'))).status, 200);
});

test('health and ready as watched engines have it', async () => {
  const one = new ScriptedModel('one', { answer: () => '' });
  const two = new ScriptedModel('two', { answer: () => '' });
  const healths = new Map<ScriptedModel, Partial<EngineHealth>>();
  for (const model of [one, two]) {
    const well: EngineHealth = { state: 'running', restarts: 0, circuit: 'closed', brownOut: 0 };
    Object.assign(model.engine, { health: () => ({ ...well, ...healths.get(model) }) });
  }
  const { app, services } = scripted({ answer: () => '' }, { models: [one, two], anyModelName: false });
  const statuses = async () => {
    const asked = ['/health', '/ready'].map(path => app.fetch(new Request(`http://localhost${path}`)));
    return (await Promise.all(asked)).map(({ status }) => status);
  };
  assert.deepEqual(await statuses(), [200, 200]);
  healths.set(one, { state: 'restarting' });
  assert.deepEqual(await statuses(), [200, 200], 'the other answers');
  healths.set(two, { circuit: 'open' });
  assert.deepEqual(await statuses(), [200, 503], 'no process needs a restart for that');
  healths.set(two, { circuit: 'half-open' });
  assert.deepEqual(await statuses(), [200, 200], 'somebody has to try');
  healths.set(two, { state: 'stuck' });
  assert.deepEqual(await statuses(), [500, 503], 'never well while it stands still');
  services.state.phase = 'leaving';
  healths.clear();
  assert.deepEqual(await statuses(), [200, 503]);
});

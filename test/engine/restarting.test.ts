/** Engines in threads that die or stand still, and are opened again: what has not been answered is, as if nothing had been. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { BackOff } from '../../src/engine/supervision/back-off.ts';
import { RestartingEngine, type SupervisionEvent } from '../../src/engine/supervision/restarting-engine.ts';
import { openEngine } from '../../src/engine/worker/handle.ts';
import { mortal } from './mortal-opener.ts';
import { collect, expectedAnswer, request, tokensOf } from './support.ts';

async function start(
  t: TestContext,
  how: string,
  run: number,
  options: { watchdogMs?: number; maxRunning?: number } = {},
) {
  const folder = await mkdtemp(join(tmpdir(), 'realm-mortal-'));
  const opener = mortal(how, run, join(folder, 'dead'));
  const events: SupervisionEvent[] = [];
  const engine = await RestartingEngine.start(() => openEngine({ file: 'any', opener, streamMs: 0, ...options }), {
    onEvent: event => events.push(event),
    backOff: new BackOff(10),
  });
  t.after(async () => {
    await engine.close();
    await rm(folder, { recursive: true });
  });
  return { engine, events };
}

const timeout = 60_000;
const options = { exit: {}, throw: {}, hang: { watchdogMs: 500 }, deadlock: { watchdogMs: 500 } };

for (const [how, more] of Object.entries(options)) {
  test(`${how}: everybody gets the whole answer, whoever had tokens of it already`, { timeout }, async t => {
    // Two of six run when it dies in its tenth step; the others wait.
    const { engine, events } = await start(t, how, 10, { maxRunning: 2, ...more });
    const requests = [0, 1, 2, 3, 4, 5].map(i => request(i, 20, { maxTokens: 40 }));
    const answers = await Promise.all(requests.map(each => collect(engine.submit(each))));
    for (const [i, answer] of answers.entries()) {
      assert.deepEqual(tokensOf(answer), expectedAnswer(requests[i]!, 32, 512));
      const end = answer.at(-1)!;
      assert.ok(end.kind === 'end' && end.usage.promptTokens === 20, JSON.stringify(end));
    }
    assert.deepEqual(
      events.map(({ kind }) => kind),
      ['died', 'restarted'],
    );
    assert.deepEqual(engine.health(), { state: 'running', restarts: 1, circuit: 'closed', brownOut: 0 });
    const later = request(9, 12);
    assert.deepEqual(tokensOf(await collect(engine.submit(later))), expectedAnswer(later, 32, 512));
    assert.equal((await engine.stats()).restarts, 1);
  });
}

test('one that stands still says so until its thread is gone, and is not asked', { timeout }, async t => {
  const { engine, events } = await start(t, 'hang', 1, { watchdogMs: 500 });
  const answer = collect(engine.submit(request(1, 20)));
  const states = new Set<string>();
  while (events.length === 0) {
    states.add(engine.health().state);
    await sleep(1);
  }
  states.add(engine.health().state);
  assert.deepEqual([...states], ['running', 'stuck']);
  assert.ok(events[0]?.kind === 'died');
  assert.match(events[0].error.message, /stood still for 0\.\d s/);
  assert.deepEqual(tokensOf(await answer), expectedAnswer(request(1, 20), 32, 512));
});

test('a busy engine is left alone: its steps take long, its thread is late, and it beats', { timeout }, async t => {
  const { engine, events } = await start(t, 'none', 1, { watchdogMs: 500, maxRunning: 4 });
  const end = performance.now() + 3_000;
  const client = async (i: number): Promise<void> => {
    for (let n = 0; performance.now() < end; n++)
      await collect(engine.submit(request(100 * i + n, 60, { maxTokens: 60 })));
  };
  await Promise.all(Array.from({ length: 40 }, (_, i) => client(i)));
  assert.deepEqual(events, []);
});

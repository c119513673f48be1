/** Models whose layers keep a state of fixed size: the scripted one checks that each sequence finds its own in its slot. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createEngine } from '../../src/engine/engine.ts';
import { EngineLoop } from '../../src/engine/loop.ts';
import type { GenerateRequest, SequenceId } from '../../src/engine/request.ts';
import { checkBooks } from './invariants.ts';
import { ScriptedModel, type ScriptedOptions } from './scripted-model.ts';
import { collect, engineOf, expectedAnswer, request, tokensOf } from './support.ts';

const folder = await mkdtemp(join(tmpdir(), 'realm-states-'));
after(() => rm(folder, { recursive: true }));
const seal = new Uint8Array(32).fill(7);
const first = request(3, 150, { maxTokens: 30 });

const saving = (options: ScriptedOptions) =>
  createEngine(new ScriptedModel(options), { backend: 'scripted', fileSize: 0, loadMs: 0 }, {}, { fingerprint: 'm' });

async function answered(engine: ReturnType<typeof engineOf>, asked: GenerateRequest) {
  const events = await collect(engine.submit(asked));
  const end = events.at(-1)!;
  assert.ok(end.kind === 'end');
  assert.deepEqual(tokensOf(events), expectedAnswer(asked, 32, 512));
  return { tokens: tokensOf(events), cached: end.usage.cachedTokens };
}

test('cached pages are taken as far as the state behind them is kept', async () => {
  const engine = engineOf(new ScriptedModel({ slots: 8 }));
  const { tokens } = await answered(engine, first);
  // The state behind its last token that was computed is kept, in the middle of a page.
  const next = { ...first, prompt: [...first.prompt, ...tokens, ...request(4, 20).prompt] };
  assert.equal((await answered(engine, next)).cached, 179);
  // So is the one behind the last full page of the prompt, which the same prompt goes on from.
  assert.equal((await answered(engine, { ...first, maxTokens: 3 })).cached, 128);
  const parting = (at: number, seed: number) => ({
    ...first,
    prompt: [...first.prompt.slice(0, at), ...request(seed, 40).prompt],
  });
  assert.equal((await answered(engine, parting(140, 5))).cached, 128);
  // Of these only two pages are the same, and no state was kept there before the first one parted.
  assert.equal((await answered(engine, parting(70, 6))).cached, 0);
  assert.equal((await answered(engine, parting(70, 7))).cached, 64);
  await engine.close();
});

test('one slot is enough: what is kept gives way to what runs', async () => {
  const engine = engineOf(new ScriptedModel({ slots: 2 }));
  const answers = await Promise.all(
    [1, 2, 3, 4].map(seed => answered(engine, request(seed, 60, { tenant: `${seed}` }))),
  );
  assert.equal(answers.length, 4);
  await engine.close();
});

test('a request that begins as another has begun goes on from a copy of its state', async () => {
  let loop: EngineLoop;
  const model = new ScriptedModel({ slots: 8 });
  const ended = Promise.withResolvers<void>();
  const cached: number[] = [];
  const prompt = request(3, 70).prompt;
  // While the first piece of the first prompt runs, 40 tokens, another comes that begins with them.
  model.beforeRun = () => {
    if (model.runs === 0)
      loop.submit(1 as SequenceId, request(4, 0, { prompt: [...prompt.slice(0, 40), ...request(8, 9).prompt] }));
  };
  loop = new EngineLoop(model, { maxBatchedTokens: 40, maxRunning: 4, speculation: 'off' }, events => {
    for (const [, event] of events) if (event.kind === 'end') cached.push(event.usage.cachedTokens);
    if (cached.length === 2) ended.resolve();
  });
  loop.submit(0 as SequenceId, request(3, 0, { prompt: [...prompt], maxTokens: 1 }));
  await ended.promise;
  checkBooks(loop, { maxWaiting: 9, maxRunning: 4 });
  assert.deepEqual(
    cached.toSorted((a, b) => a - b),
    [0, 40],
  );
  await loop.close();
});

test('a session carries the state; of another order of bytes it is refused', async () => {
  const path = join(folder, 'one');
  const engine = saving({ slots: 8 });
  const { tokens } = await answered(engine, first);
  const all = [...first.prompt, ...tokens];
  assert.equal((await engine.saveSession({ tenant: 'a', path, seal }, all)).computed, 160);
  await engine.close();

  const other = saving({ slots: 2 });
  assert.equal((await other.restoreSession({ tenant: 'a', path, seal })).computed, 160);
  assert.equal((await answered(other, { ...first, prompt: [...all, ...request(4, 20).prompt] })).cached, 160);
  await other.close();

  const elsewhere = createEngine(
    Object.assign(new ScriptedModel({ slots: 2 }), { kvLayout: 'another' }),
    { backend: 'scripted', fileSize: 0, loadMs: 0 },
    {},
    { fingerprint: 'm' },
  );
  const refused = { code: 'session_mismatch', message: /another order/ };
  await assert.rejects(elsewhere.restoreSession({ tenant: 'a', path, seal }), refused);
  await elsewhere.close();
});

/** An engine under pressure gives up guesses and sessions, and says the same. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEngine } from '../../src/engine/engine.ts';
import type { BrownOutLevel, Engine } from '../../src/engine/types.ts';
import type { Token } from '../../src/tokenizer/types.ts';
import { ScriptedModel } from './scripted-model.ts';
import { collect, expectedAnswer, request, tokensOf } from './support.ts';

/** Always under pressure, and time flies. */
function pressed(levels: BrownOutLevel[]): Engine {
  let now = 0;
  const options = { brownOut: { waiting: 0, memory: 0, afterMs: 1 } };
  return createEngine(new ScriptedModel(), { backend: 'scripted', fileSize: 0, loadMs: 0 }, options, {
    clock: () => (now += 300),
    onBrownOut: level => levels.push(level),
  });
}

/** Its second half is found in its first: much to guess. */
const repeating = request(1, 0, {
  prompt: Array.from({ length: 60 }, (_, i) => (2 + (i % 12)) as Token),
  maxTokens: 60,
});

test('without guesses the answer is the same, and nothing is drafted any more', async () => {
  const levels: BrownOutLevel[] = [];
  const engine = pressed(levels);
  assert.deepEqual(tokensOf(await collect(engine.submit(repeating))), expectedAnswer(repeating, 32, 512));
  const { draftedTokens, brownOut } = await engine.stats();
  assert.deepEqual([levels, brownOut], [[1, 2], 2]);
  assert.deepEqual(tokensOf(await collect(engine.submit(repeating))), expectedAnswer(repeating, 32, 512));
  assert.equal((await engine.stats()).draftedTokens, draftedTokens);
  await engine.close();
});

test('sessions are not saved, and what one would restore is computed', async () => {
  const engine = pressed([]);
  await collect(engine.submit(repeating));
  const session = { tenant: 'a', path: '/nowhere', seal: new Uint8Array(32) };
  await assert.rejects(engine.saveSession(session, repeating.prompt), { code: 'engine_unavailable' });
  assert.deepEqual(await engine.restoreSession(session), { tokens: 0, computed: 0 });
  await engine.close();
});

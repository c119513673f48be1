import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { ScriptedModel } from './scripted-model.ts';
import { collect, engineOf, expectedAnswer, request, tokensOf } from './support.ts';

const aborts = 10_000;
const atOnce = 50;

/** In which phase a request was when it was left, as its events tell. */
type Phase = 'before its first token' | 'in its answer' | 'too late';

test(`${aborts} aborts at random phases leak nothing, and no bystander notices`, async () => {
  const model = new ScriptedModel({ pages: 60 });
  const engine = engineOf(model, { maxBatchedTokens: 24, prefillChunk: 8, maxRunning: 6 });
  const bystander = request(999, 20, { tenant: 'b', maxTokens: 100 });
  const expected = expectedAnswer(bystander, 32, 512);
  const phases = new Map<Phase, number>();
  let done = false;
  const bystanders = (async () => {
    let count = 0;
    for (; !done; count++) assert.deepEqual(tokensOf(await collect(engine.submit(bystander))), expected);
    return count;
  })();
  let next = 0;
  const client = async (): Promise<void> => {
    while (next < aborts) {
      const i = next++;
      const own = request(i, 1 + ((i * 37) % 90), { tenant: `t${i % 5}`, maxTokens: 30 });
      const leave = new AbortController();
      const events = collect(engine.submit(own, leave.signal));
      for (let turns = (i * 7919) % 60; turns > 0; turns--) await new Promise(setImmediate);
      leave.abort();
      const all = await events;
      const end = all.at(-1)!;
      assert.ok(end.kind === 'end', `${i}: ${JSON.stringify(end)}`);
      assert.equal(getEventListeners(leave.signal, 'abort').length, 0);
      if (all.length > 1) assert.deepEqual(tokensOf(all), expectedAnswer(own, 32, 512).slice(0, all.length - 1));
      const phase: Phase =
        end.reason !== 'cancelled' ? 'too late' : all.length === 1 ? 'before its first token' : 'in its answer';
      phases.set(phase, (phases.get(phase) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, client));
  done = true;
  assert.ok((await bystanders) > 20, 'the bystanders had no part in it');
  for (const phase of ['before its first token', 'in its answer'] as const)
    assert.ok((phases.get(phase) ?? 0) > aborts / 20, JSON.stringify([...phases]));
  const { running, waiting, pagesUsed, pagesCached } = await engine.stats();
  assert.deepEqual({ running, waiting, leaked: pagesUsed - pagesCached }, { running: 0, waiting: 0, leaked: 0 });
  await engine.close();
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openEngine } from '../../src/engine/worker/handle.ts';
import type { Token } from '../../src/tokenizer/types.ts';
import { collect, expectedAnswer, request, tokensOf } from './support.ts';

const opener = new URL('./scripted-opener.ts', import.meta.url).href;

test('an engine in its worker: progress, answers at once, statistics, close', async () => {
  const progress: number[] = [];
  const engine = await openEngine({ file: 'good', opener, context: 300, onProgress: loaded => progress.push(loaded) });
  assert.deepEqual(progress, [50, 100]);
  assert.equal(engine.info.context, 300);
  assert.equal(engine.info.architecture, 'scripted');
  const requests = Array.from({ length: 12 }, (_, i) => request(i, 10 + 20 * i, { tenant: `t${i % 3}` }));
  const answers = await Promise.all(requests.map(each => collect(engine.submit(each))));
  for (const [i, events] of answers.entries()) {
    assert.deepEqual(tokensOf(events), expectedAnswer(requests[i]!, 32, 300));
    assert.equal(events.filter(({ kind }) => kind !== 'token').length, 1);
  }
  const { running, completionTokens } = await engine.stats();
  assert.deepEqual([running, completionTokens], [0, 240]);
  assert.equal(engine.ended.aborted, false);
  await engine.close();
  assert.equal(engine.ended.reason.code, 'shutting_down');
  const [late] = await collect(engine.submit(request(1, 5)));
  assert.ok(late?.kind === 'error' && late.code === 'shutting_down');
  await engine.close();
});

test('masks, guesses, scores and rows of logits cross threads', async () => {
  const engine = await openEngine({ file: 'good', opener });
  const only = 9 as Token;
  const [asked, whole] = [request(1, 40), request(1, 40, { maxTokens: 1 })];
  const draft = expectedAnswer(asked, 32, 512);
  const plain = await collect(engine.submit({ ...asked, draft, scoredTokens: [only], logits: true }));
  assert.deepEqual(tokensOf(plain), draft);
  const [first, end] = [plain[0]!, plain.at(-1)!];
  assert.ok(first.kind === 'token' && first.logprob?.scores?.length === 1);
  assert.ok(end.kind === 'end' && end.logits instanceof Float32Array && end.logits.length === 32);
  const masked = await collect(engine.submit({ ...whole, firstMask: Uint32Array.of(1 << only) }));
  assert.deepEqual(tokensOf(masked), [only]);
  await engine.close();
});

test('cancelling reaches the worker', async () => {
  // Otherwise this quick engine is done before it has said anything.
  const engine = await openEngine({ file: 'good', opener, streamMs: 0 });
  const controller = new AbortController();
  const events = [];
  for await (const event of engine.submit(request(1, 5, { maxTokens: 500 }), controller.signal)) {
    events.push(event);
    if (events.length === 3) controller.abort();
  }
  const end = events.at(-1)!;
  assert.ok(end.kind === 'end' && end.reason === 'cancelled');
  assert.equal((await engine.stats()).running, 0);
  await engine.close();
});

const deaths = [
  ['dies while running', /out of luck.*load the model again/],
  ['exits while running', /thread ended \(7\).*load the model again/],
] as const;

for (const [path, message] of deaths) {
  test(`a worker that ${path} ends what is in flight, and what comes later, with engine_failed`, {
    timeout: 20_000,
  }, async () => {
    const engine = await openEngine({ file: path, opener });
    assert.equal(engine.ended.aborted, false);
    const all = await Promise.all([1, 2, 3].map(i => collect(engine.submit(request(i, 5, { maxTokens: 400 })))));
    for (const events of all) {
      const end = events.at(-1)!;
      assert.ok(end.kind === 'error' && end.code === 'engine_failed');
      assert.match(end.message, message);
    }
    assert.equal(engine.ended.reason.code, 'engine_failed');
    const [late] = await collect(engine.submit(request(4, 5)));
    assert.ok(late?.kind === 'error' && late.code === 'engine_failed');
    await assert.rejects(engine.stats(), { code: 'engine_failed' });
    await engine.close();
  });
}

test('a model that is refused, and a worker that dies while loading', { timeout: 20_000 }, async () => {
  await assert.rejects(openEngine({ file: 'refused', opener }), {
    code: 'gguf_invalid',
    message: 'refused: not a model',
    param: 'path',
  });
  await assert.rejects(openEngine({ file: 'dies while loading', opener }), { code: 'engine_failed' });
  await assert.rejects(openEngine({ file: '/nowhere/model.gguf' }), { code: 'model_file_missing' });
});

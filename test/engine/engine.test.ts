import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import type { EngineEvent, GenerateRequest } from '../../src/engine/request.ts';
import type { Engine } from '../../src/engine/types.ts';
import type { Token } from '../../src/tokenizer/types.ts';
import { poison, ScriptedModel } from './scripted-model.ts';
import { collect, engineOf, expectedAnswer, request, tokensOf } from './support.ts';

const kinds = (events: readonly EngineEvent[]): string[] => events.map(event => event.kind);

/** Nothing runs, waits, or holds a page that is not in the prefix cache. */
async function assertIdle(engine: Engine): Promise<void> {
  const { running, waiting } = await engine.stats();
  assert.deepEqual({ running, waiting }, { running: 0, waiting: 0 });
}

test('an answer: tokens, then one end with honest usage', async () => {
  const model = new ScriptedModel();
  const engine = engineOf(model);
  const events = await collect(engine.submit(request(1, 40, { maxTokens: 3 })));
  assert.deepEqual(kinds(events), ['token', 'token', 'token', 'end']);
  const usage = { promptTokens: 40, cachedTokens: 0, completionTokens: 3 };
  assert.deepEqual(events.at(-1), { kind: 'end', reason: 'length', usage });
  const stats = await engine.stats();
  assert.deepEqual([stats.promptTokens, stats.completionTokens, stats.steps], [40, 3, 3]);
  await engine.close();
  assert.ok(model.closed);
});

test('a stop token ends the answer and is not part of it', async () => {
  const engine = engineOf(new ScriptedModel());
  const plain = request(3, 10, { sampling: { temperature: 0 } });
  const answer = expectedAnswer(plain, 32, 512);
  const stop = answer[4]!;
  const events = await collect(engine.submit({ ...plain, stopTokens: [stop] }));
  assert.deepEqual(tokensOf(events), answer.slice(0, answer.indexOf(stop)));
  const end = events.at(-1);
  assert.ok(end?.kind === 'end' && end.reason === 'stop');
  // It was computed all the same, and whoever reads usage or figures wants to know.
  const computed = answer.indexOf(stop) + 1;
  assert.equal(end.usage.completionTokens, computed);
  assert.equal((await engine.stats()).completionTokens, computed);
  const alone = await collect(engine.submit({ ...plain, stopTokens: answer.slice(0, 1) }));
  assert.deepEqual(
    alone.map(event => event.kind === 'end' && event.usage.completionTokens),
    [1],
  );
  await engine.close();
});

test('a bias that bans every token fails nobody: the answer is the one without it', async () => {
  const engine = engineOf(new ScriptedModel());
  const ask = async (logitBias: (readonly [Token, number])[]) =>
    tokensOf(await collect(engine.submit(request(3, 10, { sampling: { temperature: 0, logitBias } }))));
  const every = Array.from({ length: 32 }, (_, id) => [id as Token, -100] as const);
  const plain = await ask([]);
  assert.ok(plain.length > 0);
  assert.deepEqual(await ask(every), plain);
  await engine.close();
});

test('an answer ends where the context ends', async () => {
  const engine = engineOf(new ScriptedModel(), { context: 50 });
  const events = await collect(engine.submit(request(1, 40, { maxTokens: 999 })));
  assert.equal(tokensOf(events).length, 10);
  assert.ok(events.at(-1)!.kind === 'end');
  await engine.close();
});

test('logprobs come with each token when asked for', async () => {
  const engine = engineOf(new ScriptedModel());
  const events = await collect(engine.submit(request(1, 10, { topLogprobs: 2, maxTokens: 2 })));
  for (const event of events) {
    if (event.kind !== 'token') continue;
    assert.equal(event.logprob!.token, event.token);
    assert.equal(event.logprob!.top.length, 2);
    assert.ok(event.logprob!.logprob <= event.logprob!.top[0]!.logprob);
  }
  await engine.close();
});

test('what can never run is refused at once, by name and with both numbers', async () => {
  const engine = engineOf(new ScriptedModel({ pages: 4 }));
  assert.equal(engine.info.context, 128, 'the KV cache bounds the context');
  const refusals: [Partial<GenerateRequest>, string, string][] = [
    [{ prompt: [] }, 'invalid_request', 'prompt'],
    [{ prompt: [32 as Token] }, 'invalid_request', 'prompt'],
    [{ prompt: [-1 as Token] }, 'invalid_request', 'prompt'],
    [{ prompt: [1.5 as Token] }, 'invalid_request', 'prompt'],
    [{ maxTokens: -1 }, 'invalid_request', 'max_tokens'],
    [{ maxTokens: Number.NaN }, 'invalid_request', 'max_tokens'],
    [{ topLogprobs: -1 }, 'invalid_request', 'top_logprobs'],
    [{ priority: Number.NaN }, 'invalid_request', 'priority'],
    [{ sampling: { temperature: -1 } }, 'invalid_request', 'temperature'],
  ];
  for (const [bad, code, param] of refusals) {
    const [event, ...more] = await collect(engine.submit(request(1, 4, bad)));
    assert.ok(event?.kind === 'error');
    assert.deepEqual([event.code, event.param, more.length], [code, param, 0]);
  }
  const [tooLong] = await collect(engine.submit(request(1, 128)));
  assert.ok(tooLong?.kind === 'error' && tooLong.code === 'context_length_exceeded');
  assert.match(tooLong.message, /128 tokens.* 128/);
  await assertIdle(engine);
  await engine.close();
});

test('a full queue refuses its own tenant only, and says when to come again', async () => {
  const engine = engineOf(new ScriptedModel(), { maxRunning: 1, maxWaiting: 2 });
  const all = [1, 2, 3, 4].map(i => collect(engine.submit(request(i, 5))));
  const other = collect(engine.submit(request(9, 5, { tenant: 'b' })));
  const ends = (await Promise.all(all)).map(events => events.at(-1)!);
  const refused = ends.filter(end => end.kind === 'error');
  assert.equal(refused.length, 2);
  assert.ok(refused.every(end => end.code === 'queue_full' && end.retryAfter! >= 1));
  assert.ok((await other).at(-1)!.kind === 'end');
  await engine.close();
});

test('an engine tells what the requests of each tenant do', async () => {
  const engine = engineOf(new ScriptedModel(), { maxRunning: 2 });
  const answers = ['a', 'a', 'b', 'b'].map((tenant, i) => collect(engine.submit(request(i + 1, 5, { tenant }))));
  while ((await engine.stats()).running < 2) await new Promise(setImmediate);
  const { tenants } = await engine.stats();
  assert.deepEqual(tenants, [
    { tenant: 'a', running: 1, waiting: 1 },
    { tenant: 'b', running: 1, waiting: 1 },
  ]);
  await Promise.all(answers);
  assert.deepEqual((await engine.stats()).tenants, []);
  await engine.close();
});

test('a request is cancelled in the queue, in its prompt and in its answer, and nobody else notices', async () => {
  const model = new ScriptedModel({ trainedContext: 2000, pages: 100 });
  const engine = engineOf(model, { maxRunning: 2, maxBatchedTokens: 40, prefillChunk: 10 });
  const bystander = request(1, 33, { tenant: 'b', maxTokens: 200 });
  const undisturbed = collect(engine.submit(bystander));
  const phases = { answer: new AbortController(), prompt: new AbortController(), queue: new AbortController() };
  const answering = collect(engine.submit(request(2, 5, { maxTokens: 900 }), phases.answer.signal));
  while ((await engine.stats()).completionTokens < 20) await new Promise(setImmediate);
  const queued = collect(engine.submit(request(4, 50), phases.queue.signal));
  while ((await engine.stats()).waiting < 1) await new Promise(setImmediate);
  phases.queue.abort();
  const { running, waiting } = await engine.stats();
  assert.deepEqual([running, waiting], [2, 0], 'it leaves the queue at once');
  phases.answer.abort();
  const prompting = collect(engine.submit(request(3, 900), phases.prompt.signal));
  const { steps } = await engine.stats();
  while ((await engine.stats()).steps < steps + 4) await new Promise(setImmediate);
  phases.prompt.abort();
  for (const [events, tokens] of [
    [await answering, 1],
    [await prompting, 0],
    [await queued, 0],
  ] as const) {
    const end = events.at(-1)!;
    assert.ok(end.kind === 'end' && end.reason === 'cancelled');
    assert.equal(end.usage.completionTokens, tokensOf(events).length);
    assert.ok(tokens ? tokensOf(events).length > 0 : tokensOf(events).length === 0);
  }
  assert.deepEqual(tokensOf(await undisturbed), expectedAnswer(bystander, 32, 2000));
  for (const { signal } of Object.values(phases)) assert.equal(getEventListeners(signal, 'abort').length, 0);
  await assertIdle(engine);
  await engine.close();
});

test('leaving the loop stops the model within one step', async () => {
  const model = new ScriptedModel();
  const engine = engineOf(model);
  let seen = 0;
  for await (const _ of engine.submit(request(1, 5, { maxTokens: 400 }))) if (++seen === 3) break;
  const { runs } = model;
  await new Promise(resolve => setTimeout(resolve, 20));
  assert.ok(model.runs <= runs + 1);
  await assertIdle(engine);
  await engine.close();
});

test('many aborts at random moments leave nothing behind', async () => {
  const model = new ScriptedModel({ pages: 30 });
  const engine = engineOf(model, { maxBatchedTokens: 24, prefillChunk: 8, maxRunning: 5, cacheQuota: 0 });
  const bystander = request(999, 20, { tenant: 'b', maxTokens: 400 });
  const undisturbed = collect(engine.submit(bystander));
  const controllers = Array.from({ length: 300 }, () => new AbortController());
  await Promise.all(
    controllers.map(async (controller, i) => {
      const own = request(i, 1 + ((i * 37) % 90), { tenant: `t${i % 4}`, maxTokens: 60 });
      const events = collect(engine.submit(own, controller.signal));
      for (let turns = (i * 7919) % 60; turns > 0; turns--) await new Promise(setImmediate);
      controller.abort();
      const all = await events;
      assert.deepEqual(tokensOf(all), expectedAnswer(own, 32, 512).slice(0, tokensOf(all).length));
    }),
  );
  assert.deepEqual(tokensOf(await undisturbed), expectedAnswer(bystander, 32, 512));
  const { pagesUsed } = await engine.stats();
  assert.equal(pagesUsed, 0);
  assert.ok(controllers.every(({ signal }) => getEventListeners(signal, 'abort').length === 0));
  await engine.close();
});

test('a model that fails ends what runs, and the engine goes on', async () => {
  const model = new ScriptedModel();
  const engine = engineOf(model, { maxRunning: 2 });
  model.beforeRun = () => {
    if (model.runs === 2) {
      model.beforeRun = () => {};
      throw new Error('a thread died');
    }
  };
  const answer = (seed: number) => collect(engine.submit(request(seed, 5)));
  const [first, second, waiting] = await Promise.all([answer(1), answer(2), answer(3)]);
  for (const events of [first, second]) {
    const end = events.at(-1)!;
    assert.ok(end.kind === 'error' && end.code === 'engine_failed');
    assert.match(end.message, /a thread died/);
  }
  assert.deepEqual(tokensOf(waiting), expectedAnswer(request(3, 5), 32, 512));
  await assertIdle(engine);
  await engine.close();
});

test('logits that are no numbers end that request only, and leave nothing in the cache', async () => {
  const engine = engineOf(new ScriptedModel());
  const bad = request(1, 70);
  const poisoned = { ...bad, prompt: bad.prompt.with(40, poison as Token) };
  const [ill, well] = await Promise.all([collect(engine.submit(poisoned)), collect(engine.submit(request(2, 70)))]);
  assert.ok(ill.length === 1 && ill[0]?.kind === 'error' && ill[0].code === 'engine_failed');
  assert.deepEqual(tokensOf(well), expectedAnswer(request(2, 70), 32, 512));
  const again = await collect(engine.submit(bad));
  assert.deepEqual(tokensOf(again), expectedAnswer(bad, 32, 512));
  await engine.close();
});

test('a request that waits longer than it may for its first step fails; one that runs does not', async () => {
  const model = new ScriptedModel();
  model.beforeRun = () => new Promise(resolve => setTimeout(resolve, 5));
  const engine = engineOf(model, { maxRunning: 1, speculation: 'off' });
  const running = collect(engine.submit(request(1, 40, { maxTokens: 100, queueMs: 400 })));
  const [late] = await collect(engine.submit(request(2, 40, { queueMs: 1 })));
  assert.ok(late?.kind === 'error' && late.code === 'queue_timeout');
  assert.equal((await running).at(-1)!.kind, 'end');
  await engine.close();
});

test('a prefix that the operator declared shared is computed once for all tenants, and nothing behind it', async () => {
  const { prompt: tokens } = request(5, 200);
  const engine = engineOf(new ScriptedModel(), { sharedPrefixes: [tokens.slice(0, 100)] });
  const cached = async (tenant: string): Promise<number> => {
    const events = await collect(engine.submit(request(5, 200, { tenant })));
    assert.deepEqual(tokensOf(events), expectedAnswer(request(5, 200), 32, 512));
    const end = events.at(-1)!;
    return end.kind === 'end' ? end.usage.cachedTokens : -1;
  };
  assert.deepEqual([await cached('a'), await cached('b'), await cached('b')], [0, 96, 192]);
  await engine.close();
});

test('closing ends everything with one error, also what comes later', async () => {
  const model = new ScriptedModel();
  const engine = engineOf(model, { maxRunning: 1 });
  const all = [1, 2].map(i => collect(engine.submit(request(i, 5, { maxTokens: 300 }))));
  while ((await engine.stats()).completionTokens < 3) await new Promise(setImmediate);
  await engine.close();
  for (const events of await Promise.all(all)) {
    const end = events.at(-1)!;
    assert.ok(end.kind === 'error' && end.code === 'shutting_down');
  }
  const [late] = await collect(engine.submit(request(3, 5)));
  assert.ok(late?.kind === 'error' && late.code === 'shutting_down');
  assert.ok(model.closed);
});

test('answers to one prompt compute it once, even when it fills no page, and each is its own', async () => {
  for (const length of [20, 64, 200]) {
    const model = new ScriptedModel();
    const engine = engineOf(model, { speculation: 'off' });
    let computed = 0;
    model.beforeRun = ({ tokens }) => {
      computed += tokens;
    };
    const all = [1, 2, 3, 4].map(seed => request(1, length, { sampling: { seed } }));
    const answers = await Promise.all(all.map(each => collect(engine.submit(each))));
    for (const [i, events] of answers.entries()) assert.deepEqual(tokensOf(events), expectedAnswer(all[i]!, 32, 512));
    const cached = answers.map(events => (events.at(-1) as EngineEvent & { kind: 'end' }).usage.cachedTokens);
    assert.deepEqual(cached, [0, length - 1, length - 1, length - 1]);
    // The prompt, its last token for three more, and 19 tokens of each answer.
    assert.equal(computed, length + 3 + 4 * 19);
    await engine.close();
  }
});

test('another tenant with the same prompt shares nothing, at the same time either', async () => {
  const engine = engineOf(new ScriptedModel());
  const all = ['a', 'b', 'a'].map(tenant => request(1, 100, { tenant }));
  const answers = await Promise.all(all.map(each => collect(engine.submit(each))));
  const cached = answers.map(events => (events.at(-1) as EngineEvent & { kind: 'end' }).usage.cachedTokens);
  assert.deepEqual(cached, [0, 0, 99]);
  await engine.close();
});

test('the second request of a tenant with the same prefix skips it; another tenant does not', async () => {
  const model = new ScriptedModel();
  const engine = engineOf(model);
  const computed: number[] = [];
  model.beforeRun = ({ tokens }) => void computed.push(tokens);
  for (const tenant of ['a', 'a', 'b']) {
    computed.length = 0;
    const events = await collect(engine.submit(request(1, 200, { tenant, maxTokens: 1 })));
    const end = events.at(-1)!;
    assert.ok(end.kind === 'end');
    assert.equal(
      computed.reduce((a, b) => a + b, 0),
      200 - end.usage.cachedTokens,
    );
    assert.equal(end.usage.cachedTokens, computed[0] === 8 ? 192 : 0);
  }
  await engine.close();
});

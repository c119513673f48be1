/** A sequence that goes on from request to request: it is what one long request makes of it, and nothing is computed twice. */
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import fc from 'fast-check';
import { EngineLoop } from '../../src/engine/loop.ts';
import type { EngineOptions } from '../../src/engine/options.ts';
import type { EngineEvent, GenerateRequest, Sampling, TokenLogprob } from '../../src/engine/request.ts';
import type { Engine } from '../../src/engine/types.ts';
import type { Token } from '../../src/tokenizer/types.ts';
import { constraintOf, sources } from './constraints.ts';
import { checkBooks } from './invariants.ts';
import { Oracle, ScriptedModel, type ScriptedOptions } from './scripted-model.ts';
import { collect, engineOf, expectedAnswer, promptOf, request, tokensOf } from './support.ts';

interface Answer {
  readonly tokens: Token[];
  readonly logprobs: (TokenLogprob | undefined)[];
  readonly reason: string;
}

const endOf = (events: readonly EngineEvent[]) => {
  const end = events.at(-1)!;
  assert.equal(end.kind, 'end', JSON.stringify(end));
  return end as EngineEvent & { kind: 'end' };
};

function answerOf(events: readonly EngineEvent[]): Answer {
  const logprobs = events.flatMap(event => (event.kind === 'token' ? [event.logprob] : []));
  return { tokens: tokensOf(events), logprobs, reason: endOf(events).reason };
}

/** The same in requests of `sizes` tokens, in turn. */
async function inPieces(engine: Engine, whole: GenerateRequest, sizes: readonly number[], rest = {}): Promise<Answer> {
  const said: Answer = { tokens: [], logprobs: [], reason: '' };
  for (let i = 0; ; i++) {
    const { tokens, logprobs } = said;
    const maxTokens = Math.min(sizes[i % sizes.length]!, whole.maxTokens! - tokens.length);
    const prompt = [...whole.prompt, ...tokens];
    const piece = { ...whole, prompt, answered: tokens.length, maxTokens, keepsTail: true, ...rest };
    const next = answerOf(await collect(engine.submit(piece)));
    tokens.push(...next.tokens);
    logprobs.push(...next.logprobs);
    if (next.reason !== 'length' || tokens.length >= whole.maxTokens!) return { ...said, reason: next.reason };
  }
}

const samplings: readonly Sampling[] = [
  { temperature: 0 },
  { temperature: 1 },
  { temperature: 0.7, topK: 5, topP: 0.9 },
  { temperature: 1.3, minP: 0.1, repetitionPenalty: 1.2, penaltyWindow: 16 },
  { temperature: 0.8, presencePenalty: 0.5, frequencyPenalty: 0.4 },
  { temperature: 0, frequencyPenalty: 1.5 },
  // Repeats itself: guesses are right.
  { temperature: 1, logitBias: Array.from({ length: 27 }, (_, i) => [5 + i, -100] as const) },
];

const life = fc.record({
  sampling: fc.constantFrom(...samplings),
  constraint: fc.option(fc.constantFrom(...sources), { nil: undefined }),
  seed: fc.nat(1000),
  length: fc.integer({ min: 1, max: 90 }),
  maxTokens: fc.integer({ min: 1, max: 60 }),
  minTokens: fc.integer({ min: 0, max: 8 }),
  stop: fc.boolean(),
  sizes: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 }),
  keepsTail: fc.boolean(),
  neighbours: fc.integer({ min: 0, max: 4 }),
  pages: fc.integer({ min: 6, max: 16 }),
  draft: fc.boolean(),
  distant: fc.boolean(),
});

test('several requests of a few tokens give the tokens and log-probabilities of one', async () => {
  await fc.assert(
    fc.asyncProperty(
      life,
      async ({ seed, length, stop, sizes, keepsTail, neighbours, pages, draft, distant, ...rest }) => {
        const whole = request(seed, length, {
          ...rest,
          minTokens: Math.min(rest.minTokens, rest.maxTokens),
          sampling: { ...rest.sampling, seed },
          stopTokens: stop ? [5 as Token] : [],
          topLogprobs: 2,
        });
        const alone = engineOf(new ScriptedModel(), { speculation: 'off' });
        const expected = answerOf(await collect(alone.submit(whole)));
        await alone.close();
        assert.deepEqual(expected.tokens, expectedAnswer(whole, 32, 512));

        const model = new ScriptedModel({ pages, distant, maxOutputs: 12 });
        const engine = engineOf(
          model,
          {},
          draft ? new ScriptedModel({ noise: 0.2, pages, maxOutputs: 12 }) : undefined,
        );
        const others = Array.from({ length: neighbours }, (_, i) =>
          collect(engine.submit(request(seed + i, 20 + 9 * i, { tenant: i % 2 ? 'a' : 'b', maxTokens: 60 }))),
        );
        const found = await inPieces(engine, whole, sizes, { keepsTail, minTokens: keepsTail ? whole.minTokens : 0 });
        await Promise.all(others);
        await engine.close();
        if (keepsTail || whole.minTokens === 0) assert.deepEqual(found, expected);
      },
    ),
    { numRuns: 150 },
  );
});

const continuations: readonly [name: string, options: EngineOptions, model: ScriptedOptions][] = [
  ['plain', {}, {}],
  ['without guesses', { speculation: 'off' }, {}],
  ['in small steps', { maxBatchedTokens: 8, prefillChunk: 3 }, {}],
];

for (const [name, options, scripted] of continuations) {
  test(`a loop of one-token requests computes one row a token: ${name}`, async () => {
    const model = new ScriptedModel(scripted);
    let rows = 0;
    model.beforeRun = batch => {
      rows += batch.tokens;
    };
    const engine = engineOf(model, options);
    const copyPages = mock.method(model, 'copyPages');
    const whole = request(3, 50, { maxTokens: 120, sampling: { seed: 3 } });
    const found = await inPieces(engine, whole, [1]);
    assert.deepEqual(found.tokens, expectedAnswer(whole, 32, 512));
    assert.equal(copyPages.mock.callCount(), 0, 'nobody else has its tail');
    assert.equal(rows, 50 + 119, 'a row for each token but the last, which nothing is asked behind');
    const { pagesUsed, pagesCached } = await engine.stats();
    assert.equal(pagesUsed, pagesCached);
    assert.equal(pagesUsed, Math.ceil(169 / 32), 'the pages of the sequence, and none of its earlier tails');
    await engine.close();
  });
}

async function cachedOf(engine: Engine, each: GenerateRequest): Promise<number> {
  return endOf(await collect(engine.submit(each))).usage.cachedTokens;
}

test('forks and truncations go on where they agree with what was computed', async () => {
  const engine = engineOf(new ScriptedModel());
  const [tokens, others] = [promptOf(1, 100), promptOf(2, 30)];
  const ask = (prompt: Token[], rest: Partial<GenerateRequest> = {}) =>
    cachedOf(engine, request(1, 0, { prompt, maxTokens: 1, keepsTail: true, ...rest }));
  assert.equal(await ask(tokens), 0);
  assert.equal(await ask([...tokens, ...others.slice(0, 3)], { keepsTail: false }), 100, 'whoever comes');
  assert.equal(await ask([...tokens, ...others]), 100, 'the whole tail');
  assert.equal(await ask([...tokens.slice(0, 98), ...others]), 98, 'a part of a tail');
  assert.equal(await ask(tokens.slice(0, 90)), 89, 'a part of a full page');
  assert.equal(await ask(tokens), 99);
  assert.equal(await ask([...tokens, ...others], { tenant: 'b' }), 0, 'nobody else’s');
  await engine.close();
});

test('without a wish for it no tail is kept, and none of a full page is taken', async () => {
  const engine = engineOf(new ScriptedModel());
  const ask = (length: number) => cachedOf(engine, request(1, length, { maxTokens: 1 }));
  assert.deepEqual([await ask(100), await ask(110), await ask(96)], [0, 96, 64]);
  assert.equal((await engine.stats()).pagesCached, 3);
  await engine.close();
});

test('an aborted request keeps its tail', async () => {
  const model = new ScriptedModel();
  const engine = engineOf(model);
  const stop = new AbortController();
  const said: Token[] = [];
  const whole = request(4, 40, { maxTokens: 200, keepsTail: true, sampling: { seed: 4 } });
  for await (const event of engine.submit(whole, stop.signal)) {
    if (event.kind === 'token') said.push(event.token);
    if (said.length === 5) stop.abort();
  }
  const cached = await cachedOf(engine, { ...whole, prompt: [...whole.prompt, ...said], maxTokens: 1 });
  assert.ok(cached >= 40 + said.length - 1, `${cached} tokens of ${40 + said.length}`);
  await engine.close();
});

test('tails are under the quota, go first, and leave nothing behind', async () => {
  const model = new ScriptedModel({ pages: 12 });
  const ended = new Map<number, () => void>();
  const loop = new EngineLoop(model, { cacheQuota: 0.5 }, events => {
    for (const [id, event] of events) if (event.kind === 'end') ended.get(id)!();
  });
  const run = (id: number, each: GenerateRequest) =>
    new Promise<void>(resolve => {
      ended.set(id, resolve);
      loop.submit(id as never, each);
    });
  for (let id = 0; id < 20; id++) {
    await run(id, request(id, 40 + id, { maxTokens: 3, keepsTail: true, tenant: `t${id % 2}` }));
    checkBooks(loop, { maxRunning: 16, maxWaiting: 16, cacheQuota: 0.5 });
    assert.ok(loop.cache.idle(`t${id % 2}`) <= 6);
  }
  // Full pages stay where tails have gone.
  await run(20, request(20, 100, { maxTokens: 1, tenant: 'big', keepsTail: true }));
  await run(21, request(21, 33, { maxTokens: 300, tenant: 'big' }));
  checkBooks(loop, { maxRunning: 16, maxWaiting: 16, cacheQuota: 0.5 });
  await loop.close();
});

test('what was answered before has to be the prompt’s, and what the constraint allows', async () => {
  const engine = engineOf(new ScriptedModel());
  const errorOf = async (rest: Partial<GenerateRequest>) => {
    const [event] = await collect(engine.submit(request(1, 10, rest)));
    assert.equal(event?.kind, 'error');
    return event as EngineEvent & { kind: 'error' };
  };
  for (const answered of [11, -1, 0.5]) {
    const { code, param } = await errorOf({ answered });
    assert.deepEqual([code, param], ['invalid_request', 'answered']);
  }
  const constraint = { kind: 'regex', pattern: 'ab+' } as const;
  const [a, b, c] = ['a', 'b', 'c'].map(letter => (letter.charCodeAt(0) - 95) as Token) as [Token, Token, Token];
  const broken = await errorOf({ prompt: [9 as Token, a, c], answered: 2, constraint });
  assert.deepEqual([broken.code, broken.param], ['invalid_request', 'answered']);
  assert.match(broken.message, new RegExp(`token ${c}, number 2 of the 2 `));
  const right = await collect(engine.submit(request(1, 0, { prompt: [9 as Token, a, b], answered: 2, constraint })));
  const state = constraintOf(constraint).start();
  for (const token of [a, b, ...tokensOf(right)]) assert.ok(state.accept(token));
  assert.equal((await engine.stats()).running, 0);
  await engine.close();
});

const maskOf = (...tokens: number[]) => Uint32Array.of(tokens.reduce((bits, token) => bits | (1 << token), 0));

test('a mask holds for the first token, and for no other', async () => {
  const engine = engineOf(new ScriptedModel());
  const plain = request(1, 40, { maxTokens: 30 });
  const said = tokensOf(await collect(engine.submit(plain)));
  const other = ((said[0]! + 5) % 20) + 5;
  const masked = tokensOf(await collect(engine.submit({ ...plain, firstMask: maskOf(other) })));
  assert.equal(masked[0], other);
  const behind = { ...plain, prompt: [...plain.prompt, masked[0]!], answered: 1, maxTokens: 29 };
  assert.deepEqual(masked.slice(1), tokensOf(await collect(engine.submit(behind))));
  assert.deepEqual(tokensOf(await collect(engine.submit({ ...plain, firstMask: maskOf(said[0]!) }))), said);
  await engine.close();
});

test('a mask and a constraint hold together; where they leave nothing, that is the error', async () => {
  const engine = engineOf(new ScriptedModel());
  const constraint = { kind: 'regex', pattern: '[a-f]{9}' } as const;
  const asked = request(1, 40, { constraint });
  assert.equal(tokensOf(await collect(engine.submit({ ...asked, firstMask: maskOf(2, 3, 20, 21) })))[0]! < 4, true);
  for (const each of [{ ...asked, firstMask: maskOf(20, 21) }, request(1, 40, { firstMask: maskOf() })]) {
    const [event] = await collect(engine.submit(each));
    assert.ok(event?.kind === 'error' && event.code === 'constraint_dead_end', JSON.stringify(event));
  }
  const [refused] = await collect(engine.submit({ ...asked, firstMask: new Uint32Array(2) }));
  assert.ok(refused?.kind === 'error' && refused.param === 'first_mask' && refused.code === 'invalid_request');
  await engine.close();
});

test('bits behind the vocabulary allow nothing', async () => {
  const engine = engineOf(new ScriptedModel({ vocabSize: 30 }));
  const [event] = await collect(engine.submit(request(1, 40, { prompt: [5 as Token], firstMask: maskOf(30, 31) })));
  assert.ok(event?.kind === 'error' && event.code === 'constraint_dead_end', JSON.stringify(event));
  await engine.close();
});

test('a guess of the request’s changes nothing, and what is right of it saves steps', async () => {
  const whole = request(1, 40, { maxTokens: 30, topLogprobs: 1 });
  const run = async (draft: readonly Token[] | undefined, rest: Partial<GenerateRequest> = {}) => {
    const engine = engineOf(new ScriptedModel(), { speculation: 'off' });
    const answer = answerOf(await collect(engine.submit({ ...whole, ...rest, draft })));
    const stats = await engine.stats();
    await engine.close();
    return { answer, ...stats };
  };
  const plain = await run(undefined);
  const { tokens } = plain.answer;
  const right = await run(tokens);
  assert.deepEqual(right.answer, plain.answer);
  assert.equal(right.acceptedTokens, right.draftedTokens);
  assert.ok(right.steps <= 6, `${right.steps} steps`);
  const partly = await run([...tokens.slice(0, 7), 4 as Token, ...tokens.slice(8)]);
  assert.deepEqual(partly.answer, plain.answer);
  assert.ok(partly.acceptedTokens >= 6 && partly.acceptedTokens < partly.draftedTokens);
  const wrong = await run(tokens.map(token => ((token + 3) % 30) as Token));
  assert.deepEqual(wrong.answer, plain.answer);
  const constraint = { kind: 'regex', pattern: '[a-f]{9,40}' } as const;
  const held = await run(undefined, { constraint });
  const drafted = await run(held.answer.tokens, { constraint });
  assert.deepEqual(drafted.answer, held.answer);
  assert.ok(drafted.steps < held.steps / 2);
});

test('the row behind the last token comes with the end, however that comes', async () => {
  const engine = engineOf(new ScriptedModel());
  const rowBehind = (tokens: readonly Token[]) => {
    const oracle = new Oracle();
    for (const token of tokens) oracle.push(token);
    return oracle.logits(32);
  };
  const whole = request(1, 40, { maxTokens: 30, logits: true });
  const said = tokensOf(await collect(engine.submit({ ...whole, logits: false })));
  const cases: [Partial<GenerateRequest>, string][] = [
    [{ maxTokens: 0 }, 'length'],
    [{}, 'length'],
    [{ draft: said }, 'length'],
    [{ stopTokens: [said[12]!] }, 'stop'],
    [{ constraint: { kind: 'choice', choices: ['hello'] } }, 'stop'],
    [{ constraint: { kind: 'regex', pattern: '[A-Z]' }, maxTokens: 0 }, 'length'],
  ];
  for (const [rest, reason] of cases) {
    const events = await collect(engine.submit({ ...whole, ...rest }));
    const end = endOf(events);
    assert.equal(end.reason, reason);
    assert.deepEqual(end.logits, rowBehind([...whole.prompt, ...tokensOf(events)]));
    assert.ok(events.every(event => event.kind !== 'token' || event.logprob === undefined));
  }
  assert.equal(endOf(await collect(engine.submit({ ...whole, logits: false }))).logits, undefined);
  await engine.close();
});

test('log-probabilities of chosen tokens come with each of the answer’s', async () => {
  const engine = engineOf(new ScriptedModel());
  const scoredTokens = [7, 3, 7, 29] as Token[];
  const events = await collect(engine.submit(request(1, 40, { scoredTokens, topLogprobs: 20 })));
  const { logprobs } = answerOf(events);
  for (const logprob of logprobs) {
    const known = new Map(logprob!.top.map(each => [each.token, each.logprob]));
    for (const [i, token] of scoredTokens.entries())
      assert.equal(logprob!.scores![i], known.get(token) ?? logprob!.scores![i]);
    assert.equal(logprob!.scores!.length, 4);
    const total = logprob!.scores![0]!;
    assert.ok(total < 0 && total === logprob!.scores![2]);
  }
  const alone = answerOf(await collect(engine.submit(request(1, 40, { scoredTokens }))));
  assert.deepEqual(
    alone.logprobs.map(each => [each!.scores, each!.top]),
    logprobs.map(each => [each!.scores, []]),
  );
  const none = answerOf(await collect(engine.submit(request(1, 40, { scoredTokens: [] }))));
  assert.ok(none.logprobs.every(each => each === undefined));
  for (const wrong of [[32], Array.from({ length: 257 }, () => 3)] as Token[][]) {
    const [event] = await collect(engine.submit(request(1, 40, { scoredTokens: wrong })));
    assert.ok(event?.kind === 'error' && event.param === 'scored_tokens');
  }
  await engine.close();
});

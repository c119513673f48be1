/** What programs of ABI v2 ask of the server, on a real model: the program is scripted, the engine is not. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { RealmError } from '../../src/errors.ts';
import { loadModel, type ServedModel } from '../../src/llm/load.ts';
import { LedgerMeter } from '../../src/metering/ledger-meter.ts';
import type { ModelId } from '../../src/sandbox/model-id.ts';
import type { SequenceHost, Submission } from '../../src/sandbox/v2/types.ts';
import { metered } from '../../src/server/metered-model.ts';
import { StoredSequences } from '../../src/server/program-host/saved-sequences.ts';
import { openStore, type Store } from '../../src/store/open.ts';
import { post, sandboxOf, scripted } from '../server/scripted.ts';
import { modelPath } from './server-process.ts';

const id = 0 as ModelId;
const chat = '/v1/chat/completions';
const messages = [{ role: 'user', content: 'Name three colours.' }];
let loaded: ServedModel;
let store: Store;

before(async () => {
  loaded = await loadModel({ source: { path: await modelPath() } }, { context: 2048, threads: 1 });
  store = await openStore('memory');
});

after(async () => {
  await loaded?.engine.close();
  await store?.close();
});

type Body = (host: SequenceHost, signal: AbortSignal) => AsyncIterable<string>;

/** The answer, and the ledger's rows of its calls. */
async function run(body: Body, fields: object = {}) {
  const meter = await LedgerMeter.onStore(store, { budgetsOf: () => [], priceOf: () => undefined });
  const { app } = scripted(
    { answer: () => '' },
    {
      models: [metered(loaded, meter)],
      sandbox: sandboxOf(({ host, signal }) => body(host.sequences!, signal)),
      savedSequences: new StoredSequences(store),
      meter,
    },
  );
  const response = await app.fetch(post(chat, { messages, ...fields }));
  const json = await response.json();
  await meter.close();
  const request = response.headers.get('x-request-id')!;
  const rows = await store.db
    .selectFrom('calls')
    .selectAll()
    .where('request_id', '=', request)
    .orderBy('call')
    .execute();
  return { json, rows };
}

function submission(tokens: Uint32Array, more: Partial<Submission> = {}): Submission {
  return {
    ...{ modelId: id, tokens, answered: 0, maxTokens: 32, minTokens: 0, sampling: { temperature: 0 } },
    ...{ stopTokens: [], stop: [], ignoreEnds: false },
    ...more,
  };
}

const { signal } = new AbortController();
const prompted = async (host: SequenceHost) =>
  Uint32Array.from(await host.chatTokens(id, JSON.stringify({ messages })));
const text = (tokens: ArrayLike<number>) => loaded.tokenizer.decode(Array.from(tokens) as never);
const code = (wanted: string) => (error: unknown) => error instanceof RealmError && error.code === wanted;

for (const sampling of [{ temperature: 0 }, { temperature: 1, seed: 7, repetitionPenalty: 1.2, presencePenalty: 0.5 }])
  test(`an answer in pieces has the bytes of one in one piece, and is charged like it: ${JSON.stringify(sampling)}`, async () => {
    let whole = '';
    const streamed: string[] = [];
    const { rows } = await run(async function* (host) {
      const prompt = await prompted(host);
      const more = { sampling, ignoreEnds: true };
      whole = text((await host.submit(submission(prompt, { ...more, maxTokens: 64 }), signal)).tokens);
      let all = prompt;
      for (const maxTokens of [1, 1, 14, 16, 32]) {
        const answered = all.length - prompt.length;
        const onText = (piece: string) => void streamed.push(piece);
        const { tokens } = await host.submit(submission(all, { ...more, maxTokens, answered }), signal, onText);
        all = Uint32Array.of(...all, ...tokens);
      }
      assert.equal(text(all.slice(prompt.length)), whole);
      yield '';
    });
    assert.equal(streamed.join(''), whole);
    const [first, ...rest] = rows;
    assert.ok(first!.input_tokens > 20);
    assert.deepEqual(
      rest.map(({ input_tokens }) => input_tokens),
      [0, 0, 0, 0, 0],
    );
    assert.deepEqual(
      rest.map(({ output_tokens }) => output_tokens),
      [1, 1, 14, 16, 32],
    );
  });

test('the same as a plain request of the same chat', async () => {
  const plain = scripted({ answer: () => '' }, { models: [loaded] });
  const asked = { messages, temperature: 0, max_tokens: 40 };
  const { choices } = await (await plain.app.fetch(post(chat, asked))).json();
  const { json } = await run(async function* (host) {
    const pieces: string[] = [];
    await host.submit(submission(await prompted(host), { maxTokens: 40 }), signal, piece => void pieces.push(piece));
    yield* pieces;
  });
  assert.equal(json.choices[0].message.content, choices[0].message.content);
  assert.equal(json.choices[0].finish_reason, choices[0].finish_reason);
});

test('eight answers to 512 tokens cost one prompt; they differ by their seeds', async () => {
  const { rows, json } = await run(async function* (host) {
    const prompt = await host.textTokens(id, 'The sea is wide. '.repeat(200), { special: false, begin: true });
    const tokens = Uint32Array.from(prompt).subarray(0, 512);
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, seed) =>
        host.submit(submission(tokens, { maxTokens: 8, ignoreEnds: true, sampling: { temperature: 2, seed } }), signal),
      ),
    );
    assert.ok(new Set(answers.map(answer => text(answer.tokens))).size > 1);
    yield 'x';
  });
  assert.equal(
    rows.reduce((sum, row) => sum + row.input_tokens, 0),
    512,
  );
  assert.equal(
    rows.reduce((sum, row) => sum + row.output_tokens, 0),
    64,
  );
  assert.deepEqual([json.usage.prompt_tokens, json.usage.completion_tokens], [512, 64]);
});

test('masks, constraints, end tokens, scores and logits', async () => {
  await run(async function* (host) {
    const prompt = await prompted(host);
    const { vocabSize } = loaded.tokenizer;
    const mask = new Uint32Array(Math.ceil(vocabSize / 32));
    mask[100 >> 5] = 1 << (100 & 31);
    const masked = await host.submit(submission(prompt, { mask, maxTokens: 1 }), signal);
    assert.deepEqual(masked.tokens, Uint32Array.of(100));

    const constraint = { kind: 'regex', pattern: '(yes|no)' } as const;
    await host.checkConstraint(id, constraint);
    await assert.rejects(host.checkConstraint(id, { kind: 'regex', pattern: '(' }), code('grammar_invalid'));
    const held = await host.submit(submission(prompt, { constraint, keepEnd: true, maxTokens: 8 }), signal);
    assert.match(text(held.tokens), /^(yes|no)$/);
    assert.ok(loaded.tokenizer.endOfGeneration.has(held.tokens.at(-1) as never), 'the end stays in the sequence');

    const greedy = await host.submit(submission(prompt, { maxTokens: 1, topLogprobs: 2, scored: [100, 5] }), signal);
    const row = await host.logits({ modelId: id, tokens: prompt }, signal);
    assert.equal(row.length, vocabSize);
    assert.equal(row.indexOf(Math.max(...row)), greedy.tokens[0]);
    const most = Math.max(...row);
    const sum = Math.log(row.reduce((all, value) => all + Math.exp(value - most), 0)) + most;
    assert.ok(Math.abs(greedy.scores![0]! - (row[100]! - sum)) < 1e-3);
    assert.ok(Math.abs(greedy.logprobs![0]!.logprob - (most - sum)) < 1e-3);
    yield '';
  });
});

test('a saved sequence goes on in another run, and costs what is new', async () => {
  await run(async function* (host) {
    const prompt = await prompted(host);
    const { tokens } = await host.submit(submission(prompt, { maxTokens: 4 }), signal);
    await host.save(id, 'colours', { tokens: Uint32Array.of(...prompt, ...tokens), answered: 4 }, 60);
    yield '';
  });
  const { rows } = await run(async function* (host) {
    const { tokens, answered } = (await host.open(id, 'colours'))!;
    assert.equal(answered, 4);
    await host.submit(submission(tokens, { answered, maxTokens: 4 }), signal);
    yield '';
  });
  assert.deepEqual(
    rows.map(({ input_tokens }) => input_tokens),
    [0],
  );
});

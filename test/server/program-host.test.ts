/** What programs of ABI v2 ask of the server, with the model and the program scripted. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { RealmError } from '../../src/errors.ts';
import type { Budget } from '../../src/metering/budgets.ts';
import { LedgerMeter } from '../../src/metering/ledger-meter.ts';
import type { ModelId } from '../../src/sandbox/model-id.ts';
import type { SequenceHost, Submission } from '../../src/sandbox/v2/types.ts';
import { StoredSequences } from '../../src/server/program-host/saved-sequences.ts';
import { openStore, type Store } from '../../src/store/open.ts';
import { type ProgramBody, post, type Script, sandboxOf, scripted } from './scripted.ts';

const model = 0 as ModelId;
let store: Store;

beforeEach(async () => {
  store = await openStore('memory');
});

afterEach(() => store.close());

type Body = (host: SequenceHost, signal: AbortSignal) => AsyncIterable<string>;

const program =
  (body: Body): ProgramBody =>
  ({ host, signal }) =>
    body(host.sequences!, signal);

const tokensOf = (text: string) => Uint32Array.from(text, char => char.codePointAt(0)!);

function submission(tokens: Uint32Array, more: Partial<Submission> = {}): Submission {
  return {
    ...{ modelId: model, tokens, answered: 0, maxTokens: 4, minTokens: 0, sampling: {} },
    ...{ stopTokens: [], stop: [], ignoreEnds: false },
    ...more,
  };
}

interface Row {
  call: number;
  input_tokens: number;
  cached_tokens: number;
  output_tokens: number;
  status: string;
}

/** A server on whose ledger the body's calls come, and what it answers. */
async function run(body: Body, { script = says, budgets = [] as Budget[], fields = {}, path = chat } = {}) {
  const meter = await LedgerMeter.onStore(store, { budgetsOf: () => budgets, priceOf: () => undefined });
  const sandbox = sandboxOf(program(body));
  const { app, services, model: its, lines } = scripted(script, { meter, sandbox, ...open() });
  const response = await app.fetch(post(path, { ...asked[path], ...fields }));
  const text = await response.text();
  await meter.close();
  const id = response.headers.get('x-request-id')!;
  const rows = await store.db.selectFrom('calls').selectAll().where('request_id', '=', id).orderBy('call').execute();
  const json = text.startsWith('{') ? JSON.parse(text) : undefined;
  return { status: response.status, text, json, rows: rows as Row[], model: its, services, lines };
}

const open = () => ({ savedSequences: new StoredSequences(store) });
const chat = '/v1/chat/completions';
const completion = '/v1/completions';
const messages = [{ role: 'user', content: 'Hi' }];
const asked: Record<string, object> = { [chat]: { messages }, [completion]: { prompt: 'Hi' } };
const says: Script = { answer: () => 'abcdefgh', context: 2000 };
const wide: Script = { ...says, answer: ({ id }) => `${id.at(-1)}bcdefgh` };
const prompt = tokensOf('x'.repeat(512));
const signal = new AbortController().signal;

const inputs = (rows: readonly Row[]) => rows.map(row => row.input_tokens);
const outputs = (rows: readonly Row[]) => rows.map(row => row.output_tokens);

test('the best of eight answers to a prompt of 512 tokens costs one prompt and eight answers', async () => {
  const { json, rows } = await run(
    async function* (host) {
      const answers = await Promise.all(Array.from({ length: 8 }, () => host.submit(submission(prompt), signal)));
      yield String.fromCodePoint(...answers[7]!.tokens);
    },
    { script: wide },
  );
  assert.equal(json.choices[0].message.content, '7bcd');
  assert.equal(rows.length, 8, 'a row for each call');
  assert.deepEqual(inputs(rows).sort(), [0, 0, 0, 0, 0, 0, 0, 512]);
  assert.deepEqual(outputs(rows), Array(8).fill(4));
  assert.equal(json.usage.prompt_tokens, 512);
  assert.equal(json.usage.completion_tokens, 32);
});

test('what a sequence has generated is not paid for again, and what is pushed behind it is', async () => {
  const { rows } = await run(async function* (host) {
    const first = await host.submit(submission(prompt), signal);
    const grown = Uint32Array.of(...prompt, ...first.tokens);
    await host.submit(submission(grown, { answered: 4 }), signal);
    await host.submit(submission(Uint32Array.of(...grown, 70, 71)), signal);
    yield '';
  });
  assert.deepEqual(inputs(rows), [512, 0, 2]);
});

test('a place that says what is paid for is not believed', async () => {
  const { rows } = await run(async function* (host) {
    await host.submit({ ...submission(prompt), paid: 512 } as Submission, signal);
    await host.submit({ ...submission(tokensOf('y'.repeat(100))), paid: 1e9 } as Submission, signal);
    yield '';
  });
  assert.deepEqual(inputs(rows), [512, 100]);
});

test('a budget is reserved for what is charged: eight answers fit where eight prompts would not, and no more', async () => {
  const budgets: Budget[] = [{ unit: 'tokens', limit: 512 + 8 * 4 + 10, period: 'total' }];
  const codes: unknown[] = [];
  const { rows, status } = await run(
    async function* (host) {
      const all = Array.from({ length: 8 }, () => host.submit(submission(prompt), signal));
      await Promise.all(all);
      await host.submit(submission(tokensOf('y'.repeat(11))), signal).catch(error => codes.push(error.code));
      // A failing call in front opens no way in for those behind it.
      const late = [tokensOf('z'.repeat(600)), tokensOf('z'.repeat(601))].map(tokens =>
        host.submit(submission(tokens), signal).catch(error => codes.push(error.code)),
      );
      await Promise.all(late);
      yield 'done';
    },
    { budgets },
  );
  assert.equal(status, 200);
  assert.equal(rows.length, 8);
  assert.deepEqual(codes, ['insufficient_quota', 'insufficient_quota', 'insufficient_quota']);
});

test('what fails before it has used anything costs nothing, and its tokens are paid for later', async () => {
  const script: Script = { ...says, failAfter: { tokens: 0, error: new RealmError('engine_failed', 'gone') } };
  const { rows } = await run(
    async function* (host) {
      await assert.rejects(host.submit(submission(prompt), signal));
      delete script.failAfter;
      await host.submit(submission(prompt), signal);
      yield '';
    },
    { script },
  );
  assert.deepEqual(inputs(rows), [0, 512]);
  assert.deepEqual(
    rows.map(({ status }) => status),
    ['failed', 'complete'],
  );
});

test('every field of a submission reaches the engine, beside what is the request’s own', async () => {
  const mask = new Uint32Array(8).fill(1);
  const { model: its } = await run(
    async function* (host) {
      const wanted = submission(tokensOf('abc'), {
        ...{ answered: 1, maxTokens: 9, minTokens: 2, stopTokens: [5], stop: ['zz'], ignoreEnds: true, mask },
        ...{ constraint: { kind: 'regex', pattern: 'a+' }, draft: Uint32Array.of(4), scored: [7], topLogprobs: 2 },
        sampling: { topK: 3, temperature: undefined },
      });
      const { logprobs, scores, reason } = await host.submit(wanted, signal);
      assert.equal(reason, 'stop');
      assert.equal(logprobs?.length, 8);
      assert.equal(logprobs[0]!.top.length, 2);
      assert.deepEqual(scores, new Float32Array(8).fill(-7));
      yield '';
    },
    { fields: { temperature: 0.5, priority: 3 } },
  );
  const [request] = its.requests;
  const { id: _, tenant: __, share: ___, ...said } = request!;
  const defined = Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined));
  assert.deepEqual(defined, {
    ...{ prompt: [97, 98, 99], answered: 1, maxTokens: 9, minTokens: 3, stopTokens: [5], stop: ['zz'] },
    ...{ ignoreEnds: true, firstMask: mask, constraint: { kind: 'regex', pattern: 'a+' }, draft: [4] },
    ...{ scoredTokens: [7], topLogprobs: 2, keepsTail: true, markers: false, priority: 3 },
    sampling: { temperature: 0.5, topK: 3 },
  });
});

test('text streams as it comes, and the request ends as its streamed call did', async () => {
  const { json } = await run(async function* (host) {
    const pieces: string[] = [];
    const said = await host.submit(submission(prompt, { stop: ['ef'], maxTokens: 20 }), signal, text => {
      pieces.push(text);
      return undefined;
    });
    assert.equal(said.stopString, 'ef');
    assert.equal(said.tokens.length, 6, 'the stop string’s are among them');
    await host.submit(submission(prompt, { maxTokens: 2 }), signal);
    yield pieces.join('');
  });
  assert.equal(json.choices[0].message.content, 'abcd');
  assert.equal(json.choices[0].finish_reason, 'stop');
});

test('logits cost a token at least', async () => {
  const { rows } = await run(async function* (host) {
    for (let i = 0; i < 2; i++)
      assert.deepEqual(await host.logits({ modelId: model, tokens: prompt }, signal), Float32Array.of(120, 512));
    yield '';
  });
  assert.deepEqual(inputs(rows), [512, 1]);
});

test('a program’s text, tools and embeddings', async () => {
  const { rows } = await run(async function* (host) {
    const document = JSON.stringify({ messages });
    assert.deepEqual(await host.chatTokens(model, document), Int32Array.from([0, ...tokensOf('[user]Hi[assistant]')]));
    const plain = await host.textTokens(model, 'ab', { special: false, begin: false });
    assert.deepEqual(plain, Int32Array.of(97, 98));
    assert.deepEqual(await host.textTokens(model, 'a', { special: true, begin: true }), Int32Array.of(0, 97));
    assert.equal((await host.embed(model, 'abc', signal))[0], 4);
    const parsed = await host.parse(model, '', tokensOf('so it is'));
    assert.deepEqual(JSON.parse(parsed), { content: 'so it is', reasoning: '', tool_calls: [] });
    await host.checkConstraint(model, { kind: 'regex', pattern: 'a' });
    await assert.rejects(host.toolConstraint(model, '[', 'auto'), code('invalid_request'));
    await assert.rejects(host.toolConstraint(model, '[]', 'required'), code('invalid_request'));
    const tools = JSON.stringify([{ type: 'function', function: { name: 'add' } }]);
    await assert.rejects(host.toolConstraint(model, tools, 'auto'), code('tools_unsupported'));
    assert.equal(await host.findModel('scripted'), model);
    await assert.rejects(host.checkAdapter(model, 'none'), code('adapter_not_found'));
    yield '';
  });
  assert.deepEqual(inputs(rows), [4, 1]);
});

test('a saved sequence is another run’s, with what was paid for it; no other tenant has it', async () => {
  await run(async function* (host) {
    await host.submit(submission(prompt, { maxTokens: 1 }), signal);
    const tokens = Uint32Array.of(...prompt, 97, 98, 99);
    await host.save(model, 'begun', { tokens, answered: 1 }, 60);
    yield '';
  });
  const { rows } = await run(async function* (host) {
    const saved = await host.open(model, 'begun');
    assert.equal(saved?.tokens.length, 515);
    assert.equal(await host.open(model, 'other'), undefined);
    await host.submit(submission(saved!.tokens), signal);
    const left = JSON.parse(await host.budget());
    assert.deepEqual(left.saved, { sequences: 99, bytes: 4_000_000 - 515 * 4 - 5 });
    yield '';
  });
  assert.deepEqual(inputs(rows), [2], 'pushed, saved, and never charged for');
});

test('thoughts and calls that a program emits are the answer’s, and its text is not read again', async () => {
  const { json } = await run(async function* (host) {
    host.emit('reasoning', 'Hm.');
    yield '';
    yield 'I call.';
    host.emit('tool_call', JSON.stringify({ name: 'add', arguments: { a: 1 } }));
    yield '';
    host.emit('event', '{"step":1}');
  });
  const [{ message, finish_reason }] = json.choices;
  assert.equal(message.reasoning_content, 'Hm.');
  assert.equal(message.content, 'I call.');
  assert.deepEqual(message.tool_calls[0].function, { name: 'add', arguments: '{"a":1}' });
  assert.equal(finish_reason, 'tool_calls');
});

test('events are for clients that ask for them', async () => {
  const body: Body = async function* (host) {
    yield 'a';
    host.emit('event', '{"step":1}');
    yield '';
    yield 'b';
  };
  const asks = await run(body, { fields: { stream: true, events: true } });
  const events = asks.text.split('\n\n').filter(frame => frame.includes('realm.event'));
  assert.equal(events.length, 1);
  assert.match(events[0]!, /"event":\{"step":1\}/);
  assert.ok(asks.text.indexOf('"a"') < asks.text.indexOf('realm.event'));
  assert.ok(asks.text.indexOf('realm.event') < asks.text.indexOf('"b"'));
  const others = await run(body, { fields: { stream: true } });
  assert.ok(!others.text.includes('realm.event'));
});

test('a completion is text alone; what is no JSON fails the program', async () => {
  const { json } = await run(
    async function* (host) {
      host.emit('reasoning', 'Hm.');
      yield '';
      yield 'so';
    },
    { path: completion },
  );
  assert.equal(json.choices[0].text, 'so');
  const failed = await run(async function* (host) {
    host.emit('tool_call', '{');
    yield '';
  });
  assert.equal(failed.json.error.code, 'program_failed');
});

test('log-probabilities of an answer that is made of sequences are refused by name', async () => {
  const { json, status } = await run(
    async function* (host) {
      await host.submit(submission(prompt), signal).catch(() => {});
      yield 'x';
    },
    { fields: { logprobs: true } },
  );
  assert.equal(status, 400);
  assert.equal(json.error.param, 'logprobs');
});

test('what a program logs is few lines, without the text of a tenant that nobody debugs', async () => {
  const { lines, services } = await run(async function* (host) {
    for (let i = 0; i < 200; i++) host.log('error', 'a secret');
    yield '';
  });
  assert.equal(lines.filter(({ msg, message }) => (msg ?? message) === 'program').length, 0, 'not at level info');
  assert.ok(!JSON.stringify(lines).includes('a secret'));
  assert.equal(services.logs.wants('debug'), false);
});

const code = (wanted: string) => (error: unknown) => error instanceof RealmError && error.code === wanted;

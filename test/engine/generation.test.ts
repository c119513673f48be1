import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EngineEvent, GenerateRequest } from '../../src/engine/request.ts';
import type { Engine } from '../../src/engine/types.ts';
import { RealmError } from '../../src/errors.ts';
import { textGeneration } from '../../src/llm/generate.ts';
import type { TextEvent } from '../../src/llm/types.ts';
import type { Token, Tokenizer } from '../../src/tokenizer/types.ts';

const utf8 = new TextEncoder();

/** Tokens are bytes; 0 ends a text. */
const bytewise: Pick<Tokenizer, 'endOfGeneration' | 'controlTexts' | 'bytes' | 'stream'> = {
  endOfGeneration: new Set([0 as Token]),
  controlTexts: [],
  bytes: token => Uint8Array.of(token),
  stream: () => {
    const decoder = new TextDecoder();
    return { push: token => decoder.decode(Uint8Array.of(token), { stream: true }), end: () => decoder.decode() };
  },
};

/** An engine that says `bytes` and goes on with dots until it is stopped. */
function saying(bytes: Uint8Array, ending?: EngineEvent) {
  const seen: { request?: GenerateRequest; tokens: number } = { tokens: 0 };
  const usage = () => ({ promptTokens: 3, cachedTokens: 32, completionTokens: seen.tokens });
  const engine = {
    async *submit(request: GenerateRequest, signal?: AbortSignal): AsyncGenerator<EngineEvent> {
      seen.request = request;
      // One token more than asked for after an abort: a step that was under way.
      for (let late = 0; seen.tokens < request.maxTokens! && late < 2; late += signal?.aborted ? 1 : 0) {
        if (ending && seen.tokens === bytes.length) return yield ending;
        const token = (bytes[seen.tokens] ?? 46) as Token;
        seen.tokens++;
        yield { kind: 'token', token, logprob: { token, logprob: -0.5, top: [{ token, logprob: -0.5 }] } };
      }
      yield { kind: 'end', reason: signal?.aborted ? 'cancelled' : 'length', usage: usage() };
    },
  };
  return { seen, generate: textGeneration(engine as unknown as Engine, { tokenizer: bytewise as Tokenizer }) };
}

const request = (rest: Partial<GenerateRequest> = {}): GenerateRequest => ({
  id: 'r',
  tenant: 't',
  prompt: [1, 2, 3] as Token[],
  maxTokens: 50,
  sampling: {},
  stop: [],
  ...rest,
});

async function run(text: string, rest: Partial<GenerateRequest> = {}, signal?: AbortSignal) {
  const { generate, seen } = saying(utf8.encode(text));
  const events: TextEvent[] = await Array.fromAsync(generate(request(rest), signal));
  const said = events.map(event => (event.kind === 'text' ? event.text : '')).join('');
  return { events, said, end: events.at(-1)!, seen };
}

test('the end-of-generation tokens and the request’s own end the answer', async () => {
  const { seen } = await run('x', { stopTokens: [7 as Token], topLogprobs: 2, maxTokens: 1 });
  assert.deepEqual(seen.request!.stopTokens, [0, 7]);
  assert.equal(seen.request!.topLogprobs, 2);
});

test('one event a token; characters come whole', async () => {
  const { events, said, end } = await run('né€😀', { maxTokens: 10 });
  assert.equal(said, 'né€😀');
  assert.equal(events.length, 11);
  assert.deepEqual(
    events.slice(0, 3).map(event => event.kind === 'text' && event.text),
    ['n', '', 'é'],
  );
  assert.ok(end.kind === 'end' && end.reason === 'length');
});

test('an incomplete last character becomes U+FFFD', async () => {
  const { said } = await run('a😀', { maxTokens: 3 });
  assert.equal(said, 'a\uFFFD');
});

test('a stop string across tokens ends the text before it, with honest usage', async () => {
  const { said, end, seen } = await run('one two END three', { stop: ['nothing', ' END'] });
  assert.equal(said, 'one two');
  assert.ok(end.kind === 'end');
  assert.equal(end.reason, 'stop');
  assert.deepEqual(end.usage, { promptTokens: 3, cachedTokens: 32, completionTokens: 11 });
  assert.equal(end.tokens.length, 3 + 11);
  assert.ok(seen.tokens <= 13, 'the engine was stopped');
});

test('what looked like a stop string and was none is text after all', async () => {
  assert.equal((await run('one EN', { stop: [' END'], maxTokens: 6 })).said, 'one EN');
});

test('logprobs name the token’s own bytes', async () => {
  const { events } = await run('é', { maxTokens: 2, topLogprobs: 1 });
  const [first] = events;
  assert.ok(first?.kind === 'text');
  const one = { token: '\uFFFD', bytes: [0xc3], logprob: -0.5 };
  assert.deepEqual(first.logprobs, [{ ...one, offset: 0, top: [one] }]);
});

test('the caller’s signal reaches the engine', async () => {
  const { end } = await run('x', {}, AbortSignal.abort());
  assert.ok(end.kind === 'end' && end.reason === 'cancelled');
});

test('an error of the engine is thrown as it came', async () => {
  const failure: EngineEvent = { kind: 'error', code: 'queue_full', message: 'full', param: 'p', retryAfter: 4 };
  const { generate } = saying(utf8.encode('ab'), failure);
  await assert.rejects(Array.fromAsync(generate(request())), error => {
    assert.ok(error instanceof RealmError);
    assert.deepEqual([error.code, error.message, error.param, error.retryAfter], ['queue_full', 'full', 'p', 4]);
    return true;
  });
});

test('offsets count characters of the text, whatever is held back', async () => {
  const offsets = async (text: string, rest: Partial<GenerateRequest> = {}) => {
    const { events } = await run(text, { maxTokens: utf8.encode(text).length, topLogprobs: 0, ...rest });
    return events.flatMap(event => (event.kind === 'text' ? event.logprobs.map(({ offset }) => offset) : []));
  };
  assert.deepEqual(await offsets('aé€b'), [0, 1, 1, 2, 2, 2, 3]);
  // A character outside the first plane is one, though JavaScript's strings count it twice.
  assert.deepEqual(await offsets('😀😀b'), [0, 0, 0, 0, 1, 1, 1, 1, 2]);
  assert.deepEqual(await offsets('one', { stop: ['ned'] }), [0, 1, 2]);
});

test('log-probabilities of a prompt: its first token has none, and offsets count its characters', async () => {
  const events: EngineEvent[] = [
    { kind: 'prompt', logprobs: [{ token: 0xa9 as Token, logprob: -1, top: [] }] },
    { kind: 'prompt', logprobs: [{ token: 98 as Token, logprob: -2, top: [{ token: 99 as Token, logprob: -1 }] }] },
    { kind: 'token', token: 100 as Token, logprob: { token: 100 as Token, logprob: -3, top: [] } },
    {
      kind: 'end',
      reason: 'stop',
      usage: { promptTokens: 3, cachedTokens: 0, completionTokens: 2 },
      logprob: { token: 0 as Token, logprob: -4, top: [] },
    },
  ];
  const engine = {
    async *submit() {
      yield* events;
    },
  };
  const generate = textGeneration(engine as unknown as Engine, { tokenizer: bytewise as Tokenizer });
  const prompt = [0xc3, 0xa9, 98] as Token[];
  const said = await Array.fromAsync(generate(request({ prompt, promptLogprobs: 1, topLogprobs: 1 })));
  const pieces = said.flatMap(event => (event.kind === 'text' ? [event] : []));
  assert.deepEqual(
    pieces.map(({ ofPrompt = false, logprobs: [one] }) => [ofPrompt, one!.offset, one!.logprob, one!.top.length]),
    [
      [true, 0, Number.NaN, 0],
      [true, 0, -1, 0],
      [true, 1, -2, 1],
      [false, 0, -3, 0],
      [false, 1, -4, 0],
    ],
  );
  const end = said.at(-1)!;
  assert.ok(end.kind === 'end' && !('logprob' in end));
});

test('a stop string counts behind the least length', async () => {
  const stopped = async (minTokens: number) => (await run('a.b.c.d', { stop: ['.'], minTokens, maxTokens: 7 })).said;
  assert.deepEqual(
    [await stopped(0), await stopped(2), await stopped(3), await stopped(7)],
    ['a', 'a.b', 'a.b', 'a.b.c.d'],
  );
});

test('the token that ends an answer is computed, and counts', async () => {
  const usage = { promptTokens: 3, cachedTokens: 0, completionTokens: 3 };
  const { generate } = saying(utf8.encode('ab'), { kind: 'end', reason: 'stop', usage });
  const end = (await Array.fromAsync(generate(request()))).at(-1)!;
  assert.ok(end.kind === 'end');
  assert.equal(end.usage.completionTokens, 3);
  assert.equal(end.tokens.length, 3 + 2);
});

test('a model’s own sampling fills what the request leaves open', async () => {
  const seen: GenerateRequest[] = [];
  const engine = {
    async *submit(asked: GenerateRequest): AsyncGenerator<EngineEvent> {
      seen.push(asked);
      yield { kind: 'end', reason: 'stop', usage: { promptTokens: 3, cachedTokens: 0, completionTokens: 1 } };
    },
  };
  const generate = textGeneration(
    engine as unknown as Engine,
    { tokenizer: bytewise as Tokenizer },
    { temperature: 0.2, topP: 0.5 },
  );
  await Array.fromAsync(generate(request({ sampling: { temperature: undefined, topP: 1, seed: undefined } })));
  assert.deepEqual(seen[0]?.sampling, { temperature: 0.2, topP: 1 });
});

test('an answer in several requests has the text of one, and ends at the stop string that began in another', async () => {
  const inPieces = async (text: string, size: number, rest: Partial<GenerateRequest>) => {
    const bytes = [...utf8.encode(text)];
    let said = '';
    for (let from = 0; ; from += size) {
      const { generate } = saying(Uint8Array.from(bytes.slice(from)));
      const prompt = [1, 2, 3, ...bytes.slice(0, from)] as Token[];
      const wishes = { answered: from, keepsTail: true, maxTokens: Math.min(size, bytes.length - from), ...rest };
      const events = await Array.fromAsync(generate(request({ prompt, ...wishes })));
      said += events.map(event => (event.kind === 'text' ? event.text : '')).join('');
      const end = events.at(-1)!;
      assert.ok(end.kind === 'end');
      if (end.reason === 'stop' || from + size >= bytes.length)
        return { said, reason: end.reason, stopString: end.stopString, tokens: end.tokens.length };
    }
  };
  const cases: [string, Partial<GenerateRequest>][] = [
    ['né€😀 and more', {}],
    ['one two END three', { stop: ['nothing', ' END'] }],
    ['one EN END', { stop: ['END'] }],
    ['a.b.c', { stop: ['.b.'], minTokens: 3 }],
    ['a.b.c', { stop: ['.'], minTokens: 3 }],
    ['1€ 2€€ 3', { stop: ['€€'] }],
  ];
  for (const [text, rest] of cases) {
    const whole = await run(text, { ...rest, maxTokens: utf8.encode(text).length });
    const wholeEnd: TextEvent = whole.end;
    assert.ok(wholeEnd.kind === 'end');
    const expected = { reason: wholeEnd.reason, stopString: wholeEnd.stopString, tokens: wholeEnd.tokens.length };
    for (const size of [1, 2, 3, 5]) {
      const { said, ...end } = await inPieces(text, size, rest);
      assert.deepEqual(end, expected, `${text} in pieces of ${size}`);
      // What may have become a stop string has been said by the request that ended before it did.
      assert.ok(said.startsWith(whole.said) && (whole.said + (end.stopString ?? '')).startsWith(said), said);
    }
  }
});

/** A sequence that goes on from request to request, on a real model's kernels and threads. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { EngineEvent, GenerateRequest } from '../../src/engine/request.ts';
import { Logprobs } from '../../src/engine/sampling/logprobs.ts';
import { openEngine } from '../../src/engine/worker/handle.ts';
import { openModelText } from '../../src/llm/model-text.ts';
import { encodeChat } from '../../src/llm/prompt.ts';
import type { Token } from '../../src/tokenizer/types.ts';
import { collect, tokensOf } from '../engine/support.ts';

const file = '../shared/models/SmolLM2-135M-Instruct.Q4_1.gguf';
const model = await openModelText(file);
const engine = await openEngine({ file, threads: 2, context: 512 });
after(() => engine.close());

const asked = (seed: number, rest: Partial<GenerateRequest> = {}): GenerateRequest => {
  const prompt = encodeChat(model, { messages: [{ role: 'user', content: `Write a line about the number ${seed}.` }] });
  const sampling = { seed, temperature: 1, topP: 0.9, frequencyPenalty: 0.3, repetitionPenalty: 1.1 };
  return { id: `r${seed}`, tenant: 'a', prompt, maxTokens: 20, sampling, topLogprobs: 2, ...rest };
};

const said = (events: readonly EngineEvent[]) =>
  events.flatMap(event => (event.kind === 'token' ? [event.logprob!] : []));
const endOf = (events: readonly EngineEvent[]) => events.at(-1) as EngineEvent & { kind: 'end' };

async function inPieces(whole: GenerateRequest, size: number) {
  const logprobs: ReturnType<typeof said> = [];
  const cached: number[] = [];
  for (;;) {
    const tokens = logprobs.map(({ token }) => token);
    const prompt = [...whole.prompt, ...tokens];
    const maxTokens = Math.min(size, whole.maxTokens! - tokens.length);
    const piece = { ...whole, prompt, maxTokens, answered: tokens.length, keepsTail: true };
    const events = await collect(engine.submit(piece));
    logprobs.push(...said(events));
    cached.push(prompt.length - endOf(events).usage.cachedTokens);
    if (endOf(events).reason !== 'length' || logprobs.length === whole.maxTokens) return { logprobs, cached };
  }
}

test('pieces of an answer are those of one, with neighbours and under a schema', async () => {
  const schema = JSON.stringify({ type: 'object', properties: { n: { type: 'integer' }, text: { type: 'string' } } });
  const wholes = [asked(1), asked(2), asked(3, { constraint: { kind: 'json_schema', schema } })];
  const expected = await Promise.all(wholes.map(async each => said(await collect(engine.submit(each)))));
  for (const size of [1, 7]) {
    const found = await Promise.all(wholes.map(each => inPieces({ ...each, tenant: `pieces of ${size}` }, size)));
    assert.deepEqual(
      found.map(({ logprobs }) => logprobs),
      expected,
    );
    if (size > 1) continue;
    const [, ...rows] = found[0]!.cached;
    assert.ok(
      rows.every(count => count === 1),
      `rows that were computed: ${rows}`,
    );
  }
});

test('the row behind a prompt is what its next token is chosen from', async () => {
  const whole = asked(4);
  const [first] = said(await collect(engine.submit({ ...whole, maxTokens: 1 })));
  const { logits } = endOf(await collect(engine.submit({ ...whole, maxTokens: 0, logits: true })));
  assert.equal(logits!.length, model.tokenizer.vocabSize);
  assert.deepEqual(new Logprobs(logits!.length).of(logits!, first!.token, 2), first);
});

test('scores, guesses and a first mask', async () => {
  const whole = asked(5, { maxTokens: 12 });
  const plain = await collect(engine.submit(whole));
  const draft = tokensOf(plain);
  const scoredTokens = [draft[0]!, 100 as Token];
  const scored = said(await collect(engine.submit({ ...whole, draft, scoredTokens })));
  assert.deepEqual(
    scored.map(({ scores, ...rest }) => rest),
    said(plain),
  );
  assert.equal(scored[0]!.scores![0], scored[0]!.logprob);
  const other = (draft[0]! ^ 1) as Token;
  const firstMask = new Uint32Array(Math.ceil(model.tokenizer.vocabSize / 32));
  firstMask[other >> 5] = 1 << (other & 31);
  const [masked] = tokensOf(await collect(engine.submit({ ...whole, firstMask, maxTokens: 2 })));
  assert.equal(masked, other);
});

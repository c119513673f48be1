import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Backend, type SampleRow, type SamplingSpec, unsampled } from '../backend.ts';
import { createReferenceBackend } from '../reference/reference.ts';
import { floats } from './data.ts';
import { results, type Same, weights } from './suite.ts';

const vocabulary = 300;

const greedy: SamplingSpec = {
  temperature: 0,
  topK: 0,
  topP: 1,
  minP: 0,
  repetitionPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
  penaltyWindow: 64,
  bias: [],
  seed: [0, 0],
};

/** Specs of every kind, on histories that repeat themselves. */
const specs: readonly Partial<SamplingSpec>[] = [
  {},
  { repetitionPenalty: 1.3, presencePenalty: 0.5, frequencyPenalty: 0.2 },
  { bias: [[7, 50] as const, [8, -100] as const] },
  { temperature: 1 },
  { temperature: 0.7, topK: 40, topP: 0.9 },
  { temperature: 1.5, minP: 0.05, repetitionPenalty: 1.1 },
];

const row = (spec: Partial<SamplingSpec>, i: number): SampleRow => {
  const tokens = Array.from({ length: 20 + i }, (_, j) => (j * 7 + i) % 11);
  return { spec: { ...greedy, seed: [i, 5], ...spec }, tokens, length: 20 + (i % 3), promptTokens: 9 };
};

/** The first `allowed` of every hundred tokens may be chosen. */
function maskOf(rows: number, allowed: number): Uint32Array {
  const words = Math.ceil(vocabulary / 32);
  const mask = new Uint32Array(rows * words);
  for (let token = 0; token < vocabulary; token++) {
    if (token % 100 >= allowed) continue;
    for (let word = token >>> 5; word < mask.length; word += words)
      mask[word] = (mask[word] ?? 0) | (1 << (token & 31));
  }
  return mask;
}

/** The tokens that rows of seeded logits give. */
async function sampled(backend: Backend, rows: readonly SampleRow[], mask?: Uint32Array, from = 0): Promise<number[]> {
  const logits = backend.buffer(rows.length, vocabulary);
  rows.forEach((_, i) => void backend.write(logits, i, floats(from + i, vocabulary, 3)));
  const tokens = backend.tokens(rows.length);
  backend.sample(tokens, logits, rows, mask);
  await backend.run();
  return [...(await backend.readTokens(tokens, rows.length))];
}

export function sampling(backend: () => Backend, same: Same): void {
  const rows = Array.from({ length: 10 }, () => specs)
    .flat()
    .map(row);
  const agree = async (mask?: Uint32Array) => {
    const [actual, expected] = [
      await sampled(backend(), rows, mask),
      await sampled(createReferenceBackend(), rows, mask),
    ];
    const exact = backend().traits.exact;
    const equal = actual.filter((token, i) => token === expected[i]).length;
    if (exact) assert.deepEqual(actual, expected);
    // What is drawn may fall on the other side of a border now and then; what is greedy may not.
    assert.ok(equal >= 0.95 * rows.length, `${equal} of ${rows.length}`);
    for (const [i, { spec }] of rows.entries())
      if (spec.temperature === 0) assert.equal(actual[i], expected[i], `row ${i}`);
    return actual;
  };

  test('sampled tokens are the ones of the reference', async () => void (await agree()));
  test('a mask bans what its bits do not allow', async () => {
    for (const token of await agree(maskOf(rows.length, 5))) assert.ok(token % 100 < 5, `token ${token}`);
  });
  test('a row is sampled alike alone and beside others', async () => {
    const together = await sampled(backend(), rows);
    for (const [i, each] of rows.entries())
      assert.deepEqual(await sampled(backend(), [each], undefined, i), [together[i]]);
  });
  test('a mask that allows nothing, and logits that are no numbers, are errors of their rows alone', () =>
    failing(backend()));
  test('rows behind a wrong guess are nobody’s; those behind right ones are sampled', () => guesses(backend()));
  same('tokens that were sampled are embedded where they are', embedded);
}

async function failing(backend: Backend): Promise<void> {
  const rows = [0, 1, 2, 3].map(i => row({}, i));
  const mask = maskOf(rows.length, 100);
  const words = mask.length / rows.length;
  mask.fill(0, words, 2 * words);
  const logits = backend.buffer(rows.length, vocabulary);
  rows.forEach((_, i) => void backend.write(logits, i, floats(i, vocabulary)));
  backend.write(logits, 2, new Float32Array(vocabulary).fill(Number.NaN));
  const tokens = backend.tokens(rows.length);
  backend.sample(tokens, logits, rows, mask);
  await backend.run();
  const [first, banned, notFinite, last] = await backend.readTokens(tokens, rows.length);
  assert.deepEqual([banned, notFinite], [unsampled.allBanned, unsampled.notFinite]);
  for (const token of [first, last]) assert.ok(token !== undefined && token >= 0);
}

async function guesses(backend: Backend): Promise<void> {
  const plain = (i: number) => row({ temperature: 0.8 }, i);
  const [first = -1, second = -1, third] = await sampled(backend, [plain(0), plain(1), plain(2)]);
  const guessed = (guess: number, i: number): SampleRow => {
    const { tokens, length, ...rest } = plain(i);
    return { ...rest, tokens: tokens.with(length - 1, guess).slice(0, length), length, guessed: true };
  };
  const right = await sampled(backend, [plain(0), guessed(first, 1), guessed(second, 2)]);
  assert.deepEqual(right, [first, second, third]);
  const wrong = await sampled(backend, [plain(0), guessed(first + 1, 1), plain(2)]);
  assert.deepEqual([wrong[0], wrong[2]], [first, third]);
}

/** Sampled, embedded, sampled from what that gives: one run. */
async function embedded(backend: Backend): Promise<Float32Array[]> {
  const table = await weights(backend, 'Q8_0', vocabulary, 64);
  const output = await weights(backend, 'Q8_0', vocabulary, 64, 2);
  const rows = [0, 1, 2].map(i => row({}, i));
  const [logits, hidden] = [backend.buffer(3, vocabulary), backend.buffer(3, 64)];
  rows.forEach((_, i) => void backend.write(logits, i, floats(i, vocabulary)));
  backend.write(logits, 1, new Float32Array(vocabulary).fill(Number.NaN));
  const tokens = backend.tokens(3);
  backend.sample(tokens, logits, rows);
  backend.embed(hidden, table, tokens);
  backend.matmul(logits, output, hidden, 3);
  backend.sample(tokens, logits, rows);
  return results(backend, hidden, logits);
}

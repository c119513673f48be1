/** How fast a model is, in llama-bench's terms: prompt processing, generation, generation at a depth, generation of a batch. */
import { pageTokens } from '../backend/backend.ts';
import type { Batch, Model } from '../model/types.ts';

export interface Work {
  /** Tokens of the prompt that is processed. */
  readonly prompt: number;
  /** Tokens that are generated. */
  readonly gen: number;
  /** Sequences that generate at once, a test for each number above 1. */
  readonly batches: readonly number[];
  /** Tokens already in the cache when generation begins. */
  readonly depths: readonly number[];
  readonly reps: number;
}

export interface Rates {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export interface Result {
  /** `pp512`, `tg64`, `tg64@d3900`, `tg64x8`; of an encoder `embed128`. */
  readonly test: string;
  readonly tokensPerSecond: Rates;
}

/** One test: a repetition resolves to the tokens that it computed. */
interface Test {
  readonly name: string;
  run(): Promise<number>;
}

/** Tokens of a text that an encoder embeds. */
const textTokens = 128;

/** Most tokens in one step. */
export const maxBatchedTokens = 512;

/** States that are held at once for the work, in models whose layers keep them. */
export const slotsNeeded = ({ batches }: Work): number => 2 * Math.max(1, ...batches);

/** Tokens that the KV cache must hold for the work. */
export function tokensNeeded({ prompt, gen, batches, depths }: Work): number {
  const deepest = Math.max(0, ...depths) + gen;
  const perSequence = Math.ceil(gen / pageTokens) * pageTokens;
  return Math.max(prompt, deepest, ...batches.map(batch => batch * perSequence)) + pageTokens;
}

/**
 * Every test once in each round, so that a busy moment of the machine touches all alike, after some time of each to warm up:
 * once at least. V8 compiles what runs often: the first seconds are slower than all that follow.
 */
export async function bench(
  model: Model,
  work: Work,
  onRound?: (round: number) => void,
  warmUpMs = 1500,
): Promise<Result[]> {
  await writePages(model);
  const tests = testsOf(model, work);
  const measured = tests.map(test => ({ test, rates: [] as number[] }));
  for (const test of tests) await warmUp(test, warmUpMs);
  for (let round = 0; round < work.reps; round++) {
    onRound?.(round);
    for (const { test, rates } of measured) {
      const start = performance.now();
      const tokens = await test.run();
      rates.push((tokens * 1000) / (performance.now() - start));
    }
  }
  return measured.map(({ test, rates }) => ({ test: test.name, tokensPerSecond: summary(rates) }));
}

/** Memory that was never written is one page of zeros, which stays in a processor's cache: a depth would cost nothing to read. */
async function writePages(model: Model): Promise<void> {
  const zeros = new Uint8Array(model.pageBytes);
  for (let page = 0; page < model.pages; page++) await model.writePage(page, zeros);
}

async function warmUp({ run }: Test, warmUpMs: number): Promise<void> {
  const start = performance.now();
  do await run();
  while (performance.now() - start < warmUpMs);
}

export function summary(values: readonly number[]): Rates {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (index: number) => sorted.at(index) ?? Number.NaN;
  return { median: at(sorted.length >> 1), min: at(0), max: at(-1) };
}

function testsOf(model: Model, { prompt, gen, batches, depths }: Work): Test[] {
  if (model.encoder) return [{ name: `embed${textTokens}`, run: () => encode(model) }];
  const tests: Test[] = [];
  if (prompt > 0) tests.push({ name: `pp${prompt}`, run: () => process(model, prompt) });
  if (gen === 0) return tests;
  for (const depth of depths) {
    const name = depth === 0 ? `tg${gen}` : `tg${gen}@d${depth}`;
    tests.push({ name, run: () => generate(model, 1, depth, gen) });
  }
  for (const batch of batches) {
    if (batch > 1) tests.push({ name: `tg${gen}x${batch}`, run: () => generate(model, batch, 0, gen) });
  }
  return tests;
}

async function process(model: Model, tokens: number): Promise<number> {
  for (let from = 0; from < tokens; from += maxBatchedTokens) {
    const count = Math.min(maxBatchedTokens, tokens - from);
    await compute(model, step(model, [{ count, position: from, firstPage: 0 }], tokens));
  }
  return tokens;
}

/** As many texts as a step holds. */
async function encode(model: Model): Promise<number> {
  const count = Math.min(textTokens, model.trainedContext);
  const pages = Math.ceil(count / pageTokens);
  const texts = Math.max(1, Math.floor(Math.min(model.maxBatchTokens / count, model.pages / pages)));
  const spans = Array.from({ length: texts }, (_, i) => ({ count, position: 0, firstPage: i * pages }));
  await model.run({ ...step(model, spans, count), outputs: new Int32Array(0), states: true });
  await model.states(Int32Array.of(0), new Float32Array(model.width));
  return texts * count;
}

/**
 * `sequences` each gain `gen` tokens, one a step, from position `depth` on. Which tokens they are, and what lies in the
 * cache before them, makes no difference to the time as long as something does: neither is computed first.
 */
async function generate(model: Model, sequences: number, depth: number, gen: number): Promise<number> {
  const reach = depth + gen;
  const pages = Math.ceil(reach / pageTokens);
  for (let i = 0; i < gen; i++) {
    const spans = Array.from({ length: sequences }, (_, s) => ({
      count: 1,
      position: depth + i,
      firstPage: s * pages,
    }));
    await compute(model, step(model, spans, reach));
  }
  return sequences * gen;
}

/** A step, until its results are there. A GPU has only been told of it when `run` is done. */
async function compute(model: Model, batch: Batch): Promise<void> {
  await model.run(batch);
  await model.tokens(1);
}

interface Span {
  readonly count: number;
  readonly position: number;
  readonly firstPage: number;
}

/** A batch of the spans; logits of the last token of each. */
function step(model: Model, spans: readonly Span[], reach: number): Batch {
  let tokens = 0;
  const segments = spans.map(({ count, position, firstPage }, i) => {
    const pages = Int32Array.from({ length: Math.ceil(reach / pageTokens) }, (_, page) => firstPage + page);
    const start = tokens;
    tokens += count;
    // Two slots a sequence, which take turns: what is in them makes no difference to the time either.
    const slots = model.slots > 0 && { slot: 2 * i + (position & 1), nextSlot: 2 * i + (~position & 1) };
    return { start, count, position, pages, ...slots };
  });
  return {
    tokens,
    segments,
    ids: Int32Array.from({ length: tokens }, (_, i) => (i * 7919 + 11) % model.vocabSize),
    positions: Int32Array.from(segments.flatMap(s => Array.from({ length: s.count }, (_, i) => s.position + i))),
    outputs: Int32Array.from(segments, s => s.start + s.count - 1),
  };
}

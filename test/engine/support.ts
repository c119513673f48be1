import { encodeGguf } from '../../scripts/synthetic/gguf-writer.ts';
import { Sampler } from '../../src/backend/sampling/sampler.ts';
import { maskWords } from '../../src/constrain/vocabulary.ts';
import { createEngine } from '../../src/engine/engine.ts';
import type { EngineOptions } from '../../src/engine/options.ts';
import type { Pooler } from '../../src/engine/pooler.ts';
import type { EngineEvent, GenerateRequest, TokenLogprob } from '../../src/engine/request.ts';
import { Logprobs } from '../../src/engine/sampling/logprobs.ts';
import { resolveSampling } from '../../src/engine/sampling/sampling.ts';
import type { Engine } from '../../src/engine/types.ts';
import { memoryReader } from '../../src/gguf/memory-reader.ts';
import type { Reader } from '../../src/gguf/types.ts';
import type { Token } from '../../src/tokenizer/types.ts';
import { constraintOf, scriptedCompiler } from './constraints.ts';
import { Oracle, type ScriptedModel } from './scripted-model.ts';

export function engineOf(model: ScriptedModel, options: EngineOptions = {}, draft?: ScriptedModel): Engine {
  // A clock that stands still: drafts are taken to cost what an engine assumes before it has measured.
  return createEngine(model, { backend: 'scripted', fileSize: 0, loadMs: 0 }, options, {
    draft,
    clock: () => 0,
    constraints: scriptedCompiler(),
  });
}

/** A request with a prompt of `length` tokens that depends on `seed`; the scripted model's poison is not in it. */
export function request(seed: number, length: number, rest: Partial<GenerateRequest> = {}): GenerateRequest {
  return {
    id: `r${seed}`,
    tenant: 'a',
    prompt: promptOf(seed, length),
    maxTokens: 20,
    sampling: { seed },
    stopTokens: [],
    ...rest,
  };
}

export function promptOf(seed: number, length: number): Token[] {
  return Array.from({ length }, (_, i) => (2 + ((seed * 7919 + i * (seed + 31)) % 29)) as Token);
}

export async function collect(events: AsyncIterable<EngineEvent>): Promise<EngineEvent[]> {
  const all: EngineEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

export function tokensOf(events: readonly EngineEvent[]): Token[] {
  return events.flatMap(event => (event.kind === 'token' ? [event.token] : []));
}

/** The answer that a request must get on the scripted model, worked out without an engine. */
export function expectedAnswer(
  { prompt: tokens, answered = 0, maxTokens = Number.POSITIVE_INFINITY, minTokens = 0, ...rest }: GenerateRequest,
  vocabSize: number,
  context: number,
  salt = 0,
) {
  const { sampling, stopTokens = [], constraint, firstMask } = rest;
  const oracle = new Oracle(salt);
  const sampler = new Sampler(vocabSize);
  const spec = resolveSampling(sampling, vocabSize, 0);
  const promptTokens = tokens.length - answered;
  const history = { tokens: [...tokens], promptTokens };
  for (const token of tokens) oracle.push(token);
  const state = constraint && constraintOf(constraint).start();
  for (const token of tokens.slice(promptTokens)) if (state && !state.accept(token)) throw new Error('not allowed');
  const mask = new Uint32Array(maskWords(vocabSize));
  const ends = new Set<number>(state ? [...stopTokens, 0] : stopTokens);
  while (history.tokens.length < Math.min(tokens.length + maxTokens, context)) {
    mask.fill(0xffffffff);
    state?.mask(mask);
    if (history.tokens.length === tokens.length && firstMask) mask.set(mask.map((word, i) => word & firstMask[i]!));
    const late = mask.map((word, i) =>
      i === 0 ? word & ~[...ends].reduce((bits, end) => bits | (1 << end), 0) : word,
    );
    if (history.tokens.length - promptTokens < minTokens && late.some(word => word !== 0)) mask.set(late);
    const token = sampler.sample(
      oracle.logits(vocabSize),
      { ...history, length: history.tokens.length },
      spec,
      mask,
    ) as Token;
    // The mask leaves none.
    if (token < 0) break;
    if (stopTokens.includes(token) || (state && token === 0)) break;
    if (state && !state.accept(token)) throw new Error('not allowed');
    history.tokens.push(token);
    oracle.push(token);
  }
  return history.tokens.slice(tokens.length);
}

/** The log-probabilities that a request must get for its prompt on the scripted model. */
export function expectedPromptLogprobs(
  { prompt, promptLogprobs = 0 }: GenerateRequest,
  vocabSize: number,
  salt = 0,
): TokenLogprob[] {
  const oracle = new Oracle(salt);
  const logprobs = new Logprobs(vocabSize);
  return prompt.slice(1).map((token, i) => {
    oracle.push(prompt[i]!);
    return logprobs.of(oracle.logits(vocabSize), token, promptLogprobs);
  });
}

/** The row behind some tokens on the scripted model. */
export function expectedLogits(tokens: readonly number[], vocabSize: number, salt = 0): Float32Array {
  const oracle = new Oracle(salt);
  for (const token of tokens) oracle.push(token);
  return oracle.logits(vocabSize);
}

/** The scores that a request must get with these tokens of its answer. */
export function expectedScores(
  { prompt, scoredTokens }: GenerateRequest,
  said: readonly Token[],
  vocabSize: number,
  salt = 0,
) {
  const logprobs = new Logprobs(vocabSize);
  const oracle = new Oracle(salt);
  for (const token of prompt) oracle.push(token);
  return said.map(token => {
    const { scores } = logprobs.of(oracle.logits(vocabSize), token, 0, scoredTokens);
    oracle.push(token);
    return scores;
  });
}

export function promptLogprobsOf(events: readonly EngineEvent[]): TokenLogprob[] {
  return events.flatMap(event => (event.kind === 'prompt' ? event.logprobs : []));
}

/** A file that the scripted model takes for an adapter. */
export function adapterFile(salt: number): Reader {
  const metadata = new Map([['salt', { type: 'u32', value: salt }] as const]);
  return memoryReader(encodeGguf({ metadata, tensors: [] }), 'adapter.gguf');
}

/** The embedding that a text must get on the scripted model. */
export function expectedEmbedding(tokens: readonly number[], kind: Pooler['kind'] = 'last', salt = 0): Float32Array {
  const oracle = new Oracle(salt);
  for (const token of tokens) oracle.push(token);
  const states = oracle.states();
  const wanted = { mean: states, cls: states.slice(0, 1), last: states.slice(-1) }[kind];
  const sums = wanted[0]!.map((_, i) => wanted.reduce((sum, state) => sum + state[i]!, 0));
  const length = Math.sqrt(sums.reduce((total, sum) => total + sum * sum, 0));
  return sums.map(sum => sum / length);
}

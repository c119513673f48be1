/** What tenants' programs ask of an engine beside what its other clients do, at random. */
import type { EngineEvent, GenerateRequest } from '../../src/engine/request.ts';
import type { Token } from '../../src/tokenizer/types.ts';
import type { Random } from './random.ts';
import { poison } from './scripted-model.ts';
import { expectedAnswer } from './support.ts';

/** A request, and what was answered. */
export interface Said {
  readonly request: GenerateRequest;
  readonly tokens: Token[];
  readonly end?: EngineEvent | undefined;
}

const vocabSize = 32;

/** The request, or one that goes on behind an answer of before, with wishes of a program's. */
export function withWishes(
  asked: GenerateRequest,
  random: Random,
  said: readonly Said[],
  context: number,
): GenerateRequest {
  const before = said.filter(each => each.tokens.length > 0 && each.end);
  const request = random.chance(0.4) && before.length > 0 ? behind(asked, random.pick(before), random) : asked;
  const { prompt, embed } = request;
  if (embed || prompt.includes(poison as Token) || prompt.length >= context) return request;
  const mask = random.chance(0.02) ? 0 : random.int(1, 0xffffffff);
  const wishes: GenerateRequest = {
    ...request,
    keepsTail: random.chance(0.6),
    firstMask: random.chance(0.1) ? Uint32Array.of(mask) : undefined,
    logits: random.chance(0.1),
    scoredTokens: random.chance(0.1) ? [2 as Token, random.int(0, 31) as Token] : undefined,
  };
  return random.chance(0.1) ? { ...wishes, draft: guess(wishes, random, context) } : wishes;
}

/** Goes on where another ended, or some tokens before; with its constraint, penalties and seed, or as if all were a prompt. */
function behind(asked: GenerateRequest, { request, tokens }: Said, random: Random): GenerateRequest {
  const back = random.chance(0.3) ? random.int(0, tokens.length) : 0;
  const all = [...request.prompt, ...tokens];
  const prompt = all.slice(0, all.length - back);
  const answered = Math.max(0, (request.answered ?? 0) + tokens.length - back);
  const { tenant, adapter, sampling } = request;
  const rest = { ...asked, tenant, adapter, sampling, prompt, promptLogprobs: undefined, embed: false };
  return random.chance(0.2) ? rest : { ...rest, answered, constraint: request.constraint };
}

/** What will be said, or nearly. */
function guess(request: GenerateRequest, random: Random, context: number): Token[] {
  const right = random.chance(0.5) ? 1 : 0.8;
  try {
    return expectedAnswer(request, vocabSize, context).map(token => (random.chance(right) ? token : 3) as Token);
  } catch {
    // Its constraint lets nothing follow.
    return [];
  }
}

import { pageTokens } from '../backend/backend.ts';
import { RealmError } from '../errors.ts';
import type { EngineOptions } from './options.ts';
/** What is known of a model and its machine before its cache is made. */
export interface CacheNeeds {
  /** Tokens that a sequence had at most when the model was trained. */
  readonly trainedContext: number;
  /** Bytes of a page of keys and values, those of a model that drafts included. */
  readonly pageBytes: number;
  /** Bytes of the files, which the weights take about, and of the states that are held beside pages. */
  readonly weights: number;
  /** Bytes of memory that the model may take, if that is known. */
  readonly memory: number | undefined;
}

/** Of the memory that the weights leave, what the cache of one model may take. The rest is for work, programs and others. */
const cacheShare = 1 / 2;
/** The shortest context that a model gets however little memory there is: pages are taken as they are used. */
const leastContext = 4096;
/** What a cache takes where it need not take more to hold one context, and where nobody knows how much memory there is. */
const usualBytes = 2 ** 30;
/** Sequences of the longest length that a cache holds where there is room for them. */
const usualContexts = 4;

/** Of the memory that the weights leave, what states may take. */
const stateShare = 1 / 4;
/** States that are kept for those who go on from them, for each sequence that runs. */
const keptStates = 1;

/**
 * States that are held at once, in a model whose layers keep one of `slotBytes` for each sequence: two for each that runs, and those
 * that are kept. As many as the memory reaches, which then bounds how many run. Throws `out_of_memory` where not one can.
 */
export function defaultStateSlots(
  maxRunning: number,
  { slotBytes, weights, memory }: Pick<CacheNeeds, 'weights' | 'memory'> & { readonly slotBytes: number },
): number {
  if (slotBytes === 0) return 0;
  const room = memory === undefined ? usualBytes : (memory - weights) * stateShare;
  const slots = Math.min((2 + keptStates) * maxRunning, Math.floor(room / slotBytes));
  if (slots >= 2) return slots;
  const [need, found] = [2 * slotBytes, Math.max(0, Math.floor(room))];
  throw new RealmError(
    'out_of_memory',
    `the state of one sequence takes ${need} bytes, and there is room for ${found}`,
  );
}

/**
 * Tokens that the KV cache holds, in whole pages, where nobody has said how many: one context in any case, which is what
 * the model was trained for as far as the memory reaches; four of them as far as 1 GiB reaches. Where the memory bounds
 * the context the cache holds that one alone, so its size is the context.
 */
export function defaultKvTokens({ context }: Pick<EngineOptions, 'context'>, needs: CacheNeeds): number {
  const { trainedContext, pageBytes, weights, memory } = needs;
  const tokensIn = (bytes: number) => Math.max(0, Math.floor(bytes / pageBytes)) * pageTokens;
  const room = memory === undefined ? usualBytes : (memory - weights) * cacheShare;
  const one = Math.min(context ?? Math.max(leastContext, tokensIn(room)), trainedContext);
  const several = Math.min(usualContexts * one, tokensIn(Math.min(usualBytes, room)));
  return Math.ceil(Math.max(one, several) / pageTokens) * pageTokens;
}

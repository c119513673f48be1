/** Where the states of prompts are kept, in models that keep one: at few places that another request is likely to go on from. */
import { pageTokens } from '../../backend/backend.ts';
import type { Sequence } from '../sequence.ts';

/** Between two states in a long prompt, tokens: nothing is known of where others will part from it. */
const every = 2048;
/** A state is worth a step of its own where it saves so many tokens. */
const worthwhile = 4 * pageTokens;

/** The next place behind the computed tokens; a piece of the prompt ends there. */
export function nextMark(sequence: Sequence): number {
  const { computed } = sequence;
  const marks = [...marksOf(sequence), (Math.floor(computed / every) + 1) * every];
  return Math.min(...marks.filter(mark => mark > computed));
}

/** Whether the state behind the computed tokens is kept, if these fill their pages: at a mark, and anywhere in an answer. */
export function isMarked(sequence: Sequence): boolean {
  const { computed, promptTokens } = sequence;
  return computed > promptTokens || computed % every === 0 || marksOf(sequence).includes(computed);
}

/** The last full page of the prompt that leaves a token to compute: regenerated answers begin there, and turns whose thoughts are left out. */
function marksOf({ promptTokens, cachedTokens = 0, partsAt }: Sequence): number[] {
  const end = Math.floor((promptTokens - 1) / pageTokens) * pageTokens;
  return end - cachedTokens >= worthwhile ? [partsAt, end] : [partsAt];
}

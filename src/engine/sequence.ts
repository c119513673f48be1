import { pageTokens } from '../backend/backend.ts';
import type { Token } from '../tokenizer/types.ts';
import type { AdapterInUse } from './adapters.ts';
import type { BlockId } from './cache/block-pool.ts';
import type { CachedPage } from './cache/cached-page.ts';
import type { SlotId } from './cache/state-slots.ts';
import type { SequenceId } from './request.ts';

/** The two slots of a sequence in models that keep a state: a step reads one and writes the other. */
export interface SequenceSlots {
  current: SlotId;
  next: SlotId;
  /** Leading tokens that the state in `current` is behind. */
  tokens: number;
}

/** One request on its way through the engine. */
export interface Sequence {
  /** The engine's number for it; request ids may repeat. */
  readonly id: SequenceId;
  readonly tenant: string;
  readonly priority: number;
  /** Prompt, then answer. */
  readonly tokens: Token[];
  readonly promptTokens: number;
  /** Where the answer begins: in the prompt, if that ends with tokens of it. */
  readonly answerFrom: number;
  /** Length at which it ends, prompt and answer together. */
  readonly limit: number;
  readonly adapter?: AdapterInUse | undefined;
  /** Hidden states are wanted, and no next token. */
  readonly states?: boolean | undefined;
  /** Another goes on behind it: its last page stays in the cache too. */
  readonly keepsTail?: boolean | undefined;
  /** Its first token whose row is wanted, from there on all of the prompt's are; Infinity: the last one's alone. */
  rowsFrom: number;
  state: 'waiting' | 'running' | 'gone';
  /** Leading tokens whose keys and values are in its pages. */
  computed: number;
  /** Block table: page i holds positions [32 * i, 32 * i + 32). */
  readonly pages: BlockId[];
  /** Where its state is, in models that keep one: while it runs, and never otherwise. */
  slots: SequenceSlots | undefined;
  /** Of its pending tokens those that went through the model before: in models that keep a state, where a guess was wrong. */
  again: number;
  /** Where others of its beginning went on without it, and no state was kept: in models that keep one. */
  partsAt: number;
  /** The leading pages that the prefix cache knows. */
  readonly cached: CachedPage[];
  /** Chain of the full pages' cache keys, as far as it was needed. */
  readonly keys: string[];
  /** Leading pages that are of a declared prefix, and so every tenant's; counted when it was first needed. */
  sharedPages: number | undefined;
  /** Prompt tokens found in the prefix cache when it first ran. */
  cachedTokens: number | undefined;
  /** Leading tokens that its tenant has been charged for. */
  charged: number;
  /** Prompt tokens by which younger ones of its tenant have gone before it, less its own since. */
  overtaken: number;
}

export function createSequence(
  request: Pick<Sequence, 'id' | 'tenant' | 'priority' | 'limit' | 'adapter' | 'states' | 'keepsTail'> & {
    readonly prompt: readonly Token[];
    readonly rowsFrom?: number | undefined;
    readonly answered?: number | undefined;
  },
): Sequence {
  const { prompt, rowsFrom = Number.POSITIVE_INFINITY, answered = 0, ...rest } = request;
  return {
    ...rest,
    rowsFrom,
    tokens: [...prompt],
    promptTokens: prompt.length,
    answerFrom: prompt.length - answered,
    state: 'waiting',
    computed: 0,
    pages: [],
    slots: undefined,
    again: 0,
    partsAt: 0,
    cached: [],
    keys: [],
    sharedPages: undefined,
    cachedTokens: undefined,
    charged: 0,
    overtaken: 0,
  };
}

/** Pages that `tokens` tokens fill. */
export function pagesFor(tokens: number): number {
  return Math.ceil(tokens / pageTokens);
}

/** How many tokens have to go through the model before the next one can be sampled. */
export function pending(sequence: Sequence): number {
  return sequence.tokens.length - sequence.computed;
}

/** Whether it has all its tokens but the next: those that go through the model again do not count. */
export function isDecoding(sequence: Sequence): boolean {
  return pending(sequence) === 1 + sequence.again;
}

/** Leading tokens that it need not compute itself: its last one's row is always wanted. */
export function reusable({ tokens, rowsFrom }: Sequence): number {
  return Math.min(tokens.length - 1, rowsFrom);
}

/** Whether the logits of its prompt's tokens are wanted, and not of the last one alone. */
export function isScored({ states, rowsFrom }: Sequence): boolean {
  return !states && rowsFrom !== Number.POSITIVE_INFINITY;
}

/** By priority, then by age. */
export function goesFirst(a: Sequence, b: Sequence): boolean {
  return a.priority !== b.priority ? a.priority > b.priority : a.id < b.id;
}

/** By priority, then by what is left to compute, then by age. */
export function isShorter(a: Sequence, b: Sequence): boolean {
  if (a.priority !== b.priority || pending(a) === pending(b)) return goesFirst(a, b);
  return pending(a) < pending(b);
}

/** Leading tokens that two sequences have in common, if what is computed for one holds for the other: they have the same adapter. */
export function commonTokens(a: Sequence, b: Sequence): number {
  if (a.adapter !== b.adapter) return 0;
  const most = Math.min(a.tokens.length, b.tokens.length);
  let common = 0;
  while (common < most && a.tokens[common] === b.tokens[common]) common++;
  return common;
}

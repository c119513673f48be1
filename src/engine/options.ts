import type { CacheType } from '../backend/backend.ts';
import type { BrownOutLimits } from './brown-out.ts';

/** How one model is served; everything has a default. Structured-cloneable. */
export interface EngineOptions {
  /** Most tokens of one sequence, prompt and answer together. Default: the trained context, as far as the memory reaches. */
  readonly context?: number | undefined;
  /** Tokens that the KV cache holds over all sequences. Default: four contexts, at most 1 GiB, at least one context. */
  readonly kvTokens?: number | undefined;
  /** Bytes of memory that the weights and the cache may take, where they follow from it. Default: what is free. */
  readonly memory?: number | undefined;
  /** What the KV cache holds: Q8_0 takes a bit over half of F16's memory. Default F16. */
  readonly kvType?: CacheType | undefined;
  /** Sequences that run at once. Default 16. */
  readonly maxRunning?: number;
  /** Tokens in one step. Default 256. */
  readonly maxBatchedTokens?: number;
  /** Most prompt tokens in a step in which others decode. Default 128. */
  readonly prefillChunk?: number;
  /**
   * How long those that decode wait in a step for others' prompts, in milliseconds; for a model that is slower, no longer than the
   * step takes without them. Larger is faster in all, smaller smoother for them. Default 40.
   */
  readonly prefillMs?: number | undefined;
  /**
   * The same for a short prompt (one step's tokens) of a tenant that has nothing else and was served less than all that decode: how
   * long they wait in a step so that it gets its first token sooner. Default 200; no larger than prefillMs: no difference is made.
   */
  readonly firstPrefillMs?: number | undefined;
  /**
   * `lookup`: guess tokens that repeat the prompt, check several in one step; changes no output. `off`: only those that a constraint
   * leaves no choice about. Default `lookup`.
   */
  readonly speculation?: 'off' | 'lookup' | undefined;
  /** When guesses and sessions are given up. Absent: never. */
  readonly brownOut?: BrownOutLimits | undefined;
  /** Requests of one tenant that may wait. Default 1024. */
  readonly maxWaiting?: number;
  /** The same for single tenants. */
  readonly maxWaitingOf?: ReadonlyMap<string, number>;
  /** A tenant's weight in sharing the engine. Default 1 for each. */
  readonly weights?: ReadonlyMap<string, number>;
  /** Beginnings of prompts whose cached pages all tenants share: only what the operator declares. */
  readonly sharedPrefixes?: readonly (readonly number[])[] | undefined;
  /** Share of the pages that one tenant's unused prefixes may hold. Default 1/2. */
  readonly cacheQuota?: number;
  /** Share of the pages that is kept, in equal parts, for every tenant's prefixes against its neighbours. Default 1/4. */
  readonly cacheFloor?: number;
}

export const defaults = {
  maxRunning: 16,
  maxBatchedTokens: 256,
  prefillChunk: 128,
  prefillMs: 40,
  firstPrefillMs: 200,
  speculation: 'lookup',
  /** Rows of logits beyond those of the sequences that run at once. */
  draftRows: 6,
  /** Rows of logits for prompts whose tokens are scored, in a step; they take them in pieces. */
  scoredRows: 26,
  maxWaiting: 1024,
} as const;

import { ranges } from '../../ranges.ts';
import type { RunLimits } from '../types.ts';

/** What the operator says of one run. Forks count in all, freed ones too. */
export type HeldLimits = Pick<RunLimits, 'sequences' | 'forks' | 'tickets' | 'hostCalls' | 'outputBytes'>;

export const MAX_CONSTRAINTS = 64;
export const MAX_PARSERS = 64;
/** Of all sequences and parsers of a run, 4 bytes each. */
export const MAX_HELD_TOKENS = 4 * 1024 * 1024;
/** A schema, a grammar, or the tools of a parser. */
export const MAX_SOURCE_BYTES = 256 * 1024;
/** The names of models, adapters, tools and saved sequences. */
export const MAX_NAME_BYTES = 256;
export const MAX_LOG_BYTES = 4096;
export const MAX_RANDOM_BYTES = 65_536;

// Of one request of a `submit`.
export const MAX_TOP_K = ranges.topLogprobs.max;
export const MAX_SCORED = 256;
export const MAX_STOP_TOKENS = 64;
export const MAX_STOP_TEXTS = 32;
export const MAX_STOP_CHARACTERS = 1024;
export const MAX_DRAFT = 1024;
/** An answer ends with `length` where its log-probabilities would take more than this. */
export const MAX_RECORD_BYTES = 1024 * 1024;

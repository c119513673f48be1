import type { Token } from '../../tokenizer/types.ts';
import type { BlockId } from './block-pool.ts';
import type { SlotId } from './state-slots.ts';

/** A page of keys and values that can be found again: a full one, or the tail of a sequence, which whoever goes on from it copies, or takes from the cache. The cache holds one reference to its block. */
export interface CachedPage {
  readonly key: string;
  readonly block: BlockId;
  readonly tokens: readonly Token[];
  /** Key of the page before it; of a first page what tells its adapter from others. */
  readonly previous: string;
  /** Tenant whose page it is, or `everyone` of the prefix cache. */
  readonly holder: string;
  /** Running sequences that read it; at 0 it is idle and may be dropped. */
  users: number;
  /** Where the state behind its last token is kept, if it is. */
  state?: SlotId | undefined;
}

import type { Token } from '../../tokenizer/types.ts';
import type { BlockId } from './block-pool.ts';
import type { SlotId } from './state-slots.ts';

/** A full page of keys and values that can be found again. The cache holds one reference to its block. */
export interface CachedPage {
  readonly key: string;
  readonly block: BlockId;
  readonly tokens: readonly Token[];
  /** Key of the page before it. */
  readonly previous: string | undefined;
  /** Tenant whose page it is, or `everyone` of the prefix cache. */
  readonly holder: string;
  /** Running sequences that read it; at 0 it is idle and may be dropped. */
  users: number;
  /** Where the state behind its last token is kept, if it is. */
  state?: SlotId | undefined;
}

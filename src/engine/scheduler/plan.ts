import type { Token } from '../../tokenizer/types.ts';
import type { BlockId } from '../cache/block-pool.ts';
import type { Sequence } from '../sequence.ts';

/** tokens[computed, computed + count) of a sequence go through the model in this step, and `draft` behind them. */
export interface Work {
  readonly sequence: Sequence;
  readonly count: number;
  readonly draft: readonly Token[];
}

/** A page whose content another one gets. */
export interface PageCopy {
  readonly from: BlockId;
  readonly to: BlockId;
}

/** One step: the copies, in their order and before anything else, then the work as one batch. */
export interface Plan {
  readonly copies: readonly PageCopy[];
  /** The same for states: slots, [copies, 2]. */
  readonly slotCopies: Int32Array;
  readonly work: readonly Work[];
}

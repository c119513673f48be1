import type { SequenceModel } from './sequence.ts';
import type { TokenList } from './token-list.ts';

/** What a program holds by a parser's handle: an answer that is read again with every token that is fed. */
export interface Parser {
  readonly model: SequenceModel;
  /** JSON text. */
  readonly tools: string;
  readonly tokens: TokenList;
}

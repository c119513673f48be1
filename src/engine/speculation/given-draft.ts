import type { Token } from '../../tokenizer/types.ts';
import type { Sequence } from '../sequence.ts';

/** What is left of the guess that came with a request, while all that was said is as it guessed. */
export function leftOf(draft: readonly Token[], { tokens, promptTokens }: Sequence): readonly Token[] {
  const said = tokens.length - promptTokens;
  for (let i = 0; i < said; i++) if (tokens[promptTokens + i] !== draft[i]) return [];
  return draft.slice(said);
}

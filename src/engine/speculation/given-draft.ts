import type { Token } from '../../tokenizer/types.ts';
import type { Sequence } from '../sequence.ts';

/** What comes next in the guess of a request, at most `most` tokens, while all that was said is as it guessed. */
export function nextOf(draft: readonly Token[], { tokens, promptTokens }: Sequence, most: number): readonly Token[] {
  const said = tokens.length - promptTokens;
  for (let i = 0; i < said; i++) if (tokens[promptTokens + i] !== draft[i]) return [];
  return draft.slice(said, said + most);
}

import type { ChoicePiece } from '../choice.ts';
import { logprobEntries } from '../format.ts';
import type { AnswerPiece } from './writer.ts';

/** What a piece of an answer adds to its items. */
export function* piecesOf({ content, reasoning, calls = [], logprobs }: ChoicePiece): Generator<AnswerPiece> {
  if (reasoning !== undefined) yield { kind: 'reasoning', text: reasoning };
  if (content !== undefined) yield { kind: 'content', text: content, logprobs: logprobEntries(logprobs) };
  for (const { id, name, arguments: text } of calls) {
    if (id !== undefined && name !== undefined) yield { kind: 'call', id, name };
    yield { kind: 'arguments', text };
  }
}

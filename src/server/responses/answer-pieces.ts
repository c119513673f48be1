import type { ChoiceEvent } from '../choice.ts';
import { logprobEntries } from '../format.ts';
import type { AnswerPiece } from './writer.ts';

/** What an event of an answer adds to its items. */
export function* piecesOf(event: Extract<ChoiceEvent, { kind: 'text' }>): Generator<AnswerPiece> {
  yield { kind: 'content', text: event.text, logprobs: logprobEntries(event.logprobs) };
}

import type { GenerateRequest, TokenLogprob } from '../../engine/request.ts';
import type { Submission, Submitted } from '../../sandbox/v2/types.ts';
import type { Token } from '../../tokenizer/types.ts';
import type { TextEnd } from '../types.ts';

/** A sequence that a program runs on, as a request to an engine and back. */

/** What the program wants of the answer. The client's own sampling holds where it says nothing. */
export function answerOf(
  submission: Submission,
  { sampling }: Pick<GenerateRequest<string>, 'sampling'>,
  markers: boolean,
): Omit<GenerateRequest, 'id' | 'tenant' | 'prompt'> {
  const { maxTokens, minTokens, answered, stop, ignoreEnds, constraint, mask, draft, scored = [] } = submission;
  const said = Object.entries(submission.sampling).filter(([, value]) => value !== undefined);
  return {
    sampling: { ...sampling, ...Object.fromEntries(said) },
    maxTokens,
    // The engine counts from where the answer began.
    minTokens: minTokens > 0 ? answered + minTokens : 0,
    answered,
    stop,
    ignoreEnds,
    constraint,
    markers,
    stopTokens: submission.stopTokens as Token[],
    firstMask: mask,
    draft: draft && (Array.from(draft) as Token[]),
    topLogprobs: submission.topLogprobs ?? (scored.length > 0 ? 0 : undefined),
    scoredTokens: scored.length > 0 ? (scored as Token[]) : undefined,
  };
}

/** What became of it, as the program sees it. */
export function submitted(
  { tokens, topLogprobs, scored = [] }: Submission,
  { tokens: all, reason, stopString }: TextEnd,
  logprobs: readonly TokenLogprob[],
): Submitted {
  return {
    tokens: Uint32Array.from(all.slice(tokens.length)),
    reason,
    stopString,
    logprobs: topLogprobs === undefined ? undefined : logprobs,
    scores: scored.length > 0 ? Float32Array.from(logprobs.flatMap(({ scores = [] }) => scores)) : undefined,
  };
}

/** The token that ended it was computed too, and may be wanted. */
export function withEnd({ keepEnd }: Submission, { tokens, stopToken }: TextEnd): readonly Token[] {
  return keepEnd && stopToken !== undefined ? [...tokens, stopToken] : tokens;
}

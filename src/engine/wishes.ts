import type { ActiveRequest } from './active-requests.ts';
import { firstMaskOf } from './constraint/first-mask.ts';
import type { GenerateRequest } from './request.ts';
import { resolveSampling } from './sampling/sampling.ts';

/** What a request says of its tokens, beside what ends them. */
export type Wishes = Omit<ActiveRequest, 'sequence' | 'stopTokens' | 'constraint' | 'pooler' | 'queueTimer'>;

/** Throws `invalid_request` naming the client's field. */
export function wishesOf(request: GenerateRequest, vocabSize: number): Wishes {
  const { promptLogprobs, minTokens = 0, logits = false, firstMask } = request;
  // None are as good as no wish: rows of logits cost what plain answers do not.
  const scoredTokens = request.scoredTokens?.length ? request.scoredTokens : undefined;
  return {
    sampling: resolveSampling(request.sampling, vocabSize, Math.floor(Math.random() * 2 ** 53)),
    topLogprobs: request.topLogprobs ?? (scoredTokens && 0),
    scoredTokens,
    promptLogprobs,
    minTokens,
    logits,
    firstMask: firstMask && firstMaskOf(firstMask, vocabSize),
  };
}

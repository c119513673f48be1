import type { TokenLogprob } from '../../engine/request.ts';
import type { SentSubmission } from './messages.ts';
import type { SequenceHost, Submission, Submitted } from './types.ts';

type Sent = Omit<SentSubmission, 'constraint' | 'streams'> & Pick<Submission, 'constraint'>;

/** Runs a sequence on. A bias of the next token alone is an engine's request of its own, since those have one for all their tokens. */
export async function submitSent(
  host: SequenceHost,
  { nextBias, ...submission }: Sent,
  signal: AbortSignal,
  onText?: Parameters<SequenceHost['submit']>[2],
): Promise<Submitted> {
  if (!nextBias || submission.maxTokens === 0) return host.submit(submission, signal, onText);
  const sampling = { ...submission.sampling, logitBias: joined(submission.sampling.logitBias, nextBias) };
  const one = { maxTokens: 1, minTokens: Math.min(1, submission.minTokens), draft: undefined };
  const first = await host.submit({ ...submission, ...one, sampling }, signal, onText);
  if (first.reason !== 'length' || submission.maxTokens === 1) return first;
  const rest = await host.submit(behind(submission, first), signal, onText);
  return {
    ...rest,
    tokens: Uint32Array.of(...first.tokens, ...rest.tokens),
    logprobs: both(first.logprobs, rest.logprobs),
    scores: first.scores && rest.scores && Float32Array.of(...first.scores, ...rest.scores),
  };
}

/** Both biases; the second's where a token has two. */
function joined(sticky: unknown, next: Float64Array): Float64Array {
  return sticky instanceof Float64Array ? Float64Array.of(...sticky, ...next) : next;
}

function behind(submission: Omit<Sent, 'nextBias'>, { tokens }: Submitted): Submission {
  return {
    ...submission,
    tokens: Uint32Array.of(...submission.tokens, ...tokens),
    answered: submission.answered + tokens.length,
    maxTokens: submission.maxTokens - tokens.length,
    minTokens: Math.max(0, submission.minTokens - tokens.length),
    mask: undefined,
    draft: submission.draft?.[0] === tokens[0] ? submission.draft?.slice(1) : undefined,
  };
}

const both = (a: readonly TokenLogprob[] | undefined, b: readonly TokenLogprob[] | undefined) => a && b && [...a, ...b];

import { checkLength } from '../../engine/admission.ts';
import type { GenerateRequest, TokenLogprob } from '../../engine/request.ts';
import { RealmError } from '../../errors.ts';
import { markersIn } from '../../llm/output-format.ts';
import type { Claim } from '../../llm/program/charged-tokens.ts';
import { answerOf, submitted, withEnd } from '../../llm/program/submission.ts';
import type { TextEnd, TextEvent } from '../../llm/types.ts';
import { listOf } from '../../platform/list-of.ts';
import type { Position, Submission, Submitted } from '../../sandbox/v2/types.ts';
import type { Token } from '../../tokenizer/types.ts';
import type { MeteredModel } from '../metered-model.ts';
import { tracedCall } from '../traced.ts';
import { ownedBy, placeOf, type SequenceRun } from './sequence-run.ts';
import { noteEnd, tally } from './trace.ts';

type OnText = (text: string) => Promise<void> | undefined;

/** Runs one of a program's sequences on, as one call to the engine. */
export async function submit(
  run: SequenceRun,
  submission: Submission,
  signal: AbortSignal,
  onText?: OnText,
): Promise<Submitted> {
  const { job } = run.context;
  checkLogprobs(run);
  const model = await run.models.find(submission.modelId);
  const request = {
    ...requestOf(run, submission),
    ...answerOf(submission, run.request, markersIn(model.format, job.tools)),
  };
  const logprobs: TokenLogprob[] = [];
  const end = await called(run, model, submission, request, signal, async ({ text, logprob }) => {
    if (logprob) logprobs.push(logprob);
    if (onText) await streamed(run, model, text, onText);
  });
  const tokens = withEnd(submission, end);
  run.charged.add(placeOf(submission.modelId, request.adapter), tokens);
  if (onText !== undefined || !run.streamed) {
    noteEnd(run.trace, end);
    if (model === job.model) run.trace.tokens = end.tokens;
  }
  run.streamed ||= onText !== undefined;
  return submitted(submission, { ...end, tokens }, logprobs);
}

/** Whose text is whose, of a program that has sequences, is its own affair. */
function checkLogprobs({ request, trace }: SequenceRun): void {
  if (request.topLogprobs === undefined && request.promptLogprobs === undefined) return;
  const message =
    "logprobs: the tenant's program has sequences of its own, so nobody knows which of their tokens the answer is made of; leave logprobs out";
  trace.refused ??= new RealmError('invalid_request', message, { param: 'logprobs' });
  throw trace.refused;
}

/** The logits behind a sequence. */
export async function logits(run: SequenceRun, position: Position, signal: AbortSignal): Promise<Float32Array> {
  const model = await run.models.find(position.modelId);
  const request = { ...requestOf(run, position), sampling: {}, maxTokens: 0, logits: true };
  const end = await called(run, model, position, request, signal);
  if (end.logits) return end.logits;
  throw new RealmError('request_cancelled', 'The request was cancelled');
}

/** Makes the call; it pays for what of the sequence nobody has paid for. */
async function called(
  run: SequenceRun,
  model: MeteredModel,
  { modelId, tokens }: Position,
  request: GenerateRequest,
  signal: AbortSignal,
  onPiece?: (piece: Exclude<TextEvent, TextEnd>) => Promise<void>,
): Promise<TextEnd> {
  const { exchange, span, job } = run.context;
  checkLength(tokens.length, model.engine.info.context, { maxTokens: request.maxTokens, param: 'sequence' });
  // What is computed for a whole prompt again costs something, though all of it is paid for.
  const least = request.maxTokens === 0 ? 1 : 0;
  const claim = await run.charged.claim(placeOf(modelId, request.adapter), tokens, least);
  try {
    const operation = job.kind === 'chat' ? 'chat' : 'text_completion';
    const call = { operation, model: model.id } as const;
    const events = model.generate(exchange.nextCall(), request, signal, {
      charge: claim,
      recordings: run.trace.recordings,
    });
    exchange.noteSubmitted();
    return await ended(run, claim, tracedCall(span, call, request, events), onPiece);
  } finally {
    claim.end();
  }
}

async function ended(
  run: SequenceRun,
  claim: Claim,
  events: AsyncIterable<TextEvent>,
  onPiece?: (piece: Exclude<TextEvent, TextEnd>) => Promise<void>,
): Promise<TextEnd> {
  const count = tally(run.trace);
  let completionTokens = 0;
  for await (const event of events) {
    if (event.kind === 'end') {
      count(claim.of(event.usage));
      return event;
    }
    count(claim.of({ promptTokens: 0, cachedTokens: 0, completionTokens: ++completionTokens }));
    await onPiece?.(event);
  }
  throw new RealmError('request_cancelled', 'The request was cancelled');
}

async function streamed({ context, trace }: SequenceRun, model: MeteredModel, text: string, onText: OnText) {
  if (context.job.kind === 'chat' && model.format.reasoning) trace.starts.push(trace.generated);
  trace.generated += text.length;
  const room = text === '' ? undefined : onText(text);
  if (room) await room;
}

function requestOf(run: SequenceRun, { modelId, tokens, adapter }: Position): Omit<GenerateRequest, 'sampling'> {
  return {
    ...ownedBy(run),
    id: run.nextId(),
    prompt: listOf(tokens) as Token[],
    adapter: run.models.adapterOf(modelId, adapter),
    keepsTail: true,
  };
}

import type { GenerateRequest } from '../engine/request.ts';
import { RealmError } from '../errors.ts';
import type { AnswerDelta } from '../llm/answer-reader.ts';
import { ChoiceReader } from '../llm/program/choice-reader.ts';
import { Emitted } from '../llm/program/emitted.ts';
import { guestOptions } from '../llm/program/options.ts';
import type { TextEnd, TextLogprob } from '../llm/types.ts';
import type { ChoiceContext } from './program-host/context.ts';
import { programHost } from './program-host/program-host.ts';
import type { Trace } from './program-host/trace.ts';

/**
 * What happens in an answer, for all APIs. `index`: of the choice; the answers to the first prompt come first. A piece of `text` has what it adds to
 * the answer, if anything, and the log-probabilities of its tokens.
 */
export type ChoiceEvent = (ChoicePiece | TextEnd) & { readonly index: number };

export interface ChoicePiece extends AnswerDelta {
  readonly kind: 'text';
  readonly logprobs: readonly TextLogprob[];
}

/** Longest stretch of a program's own computing between two calls to the host. */
const sliceMs = 2_000;

/** Runs the tenant's program on one request; log-probabilities travel with the text of their tokens. */
export async function* runChoice(
  context: ChoiceContext,
  request: GenerateRequest<string>,
  index: number,
  trace: Trace,
): AsyncGenerator<ChoiceEvent> {
  const { services } = context;
  const { signal } = context.exchange;
  const { tenant, model, slot, program, kind, called = false, events = false } = context.job;
  const { prompt } = request;
  await services.text.pace(prompt.length);
  const emitted = new Emitted({ chat: kind === 'chat', events });
  const text = services.sandbox.run({
    tenant: tenant.id,
    weight: tenant.weight,
    program,
    limits: { ...tenant.programLimits, memoryMb: tenant.memoryMb, deadlineMs: tenant.deadlineMs, sliceMs },
    kind: called ? 'call' : kind,
    prompt,
    modelId: slot.modelId,
    options: guestOptions(model, request),
    streamMs: slot.definition.entry.streamMs,
    host: programHost(context, request, trace, emitted),
    signal,
    used: use => noteFuel(context, use.fuel),
  });
  const reader = new ChoiceReader(context.job, trace, emitted);
  let streamed = 0;
  try {
    for await (const piece of text) {
      streamed += piece.length;
      yield* pieces(index, reader.read(piece), takeUntil(trace, streamed));
    }
  } catch (error) {
    throw trace.refused ?? error;
  } finally {
    trace.recordings.hurry();
  }
  signal.throwIfAborted();
  await trace.recordings.done();
  yield* pieces(index, reader.end(), takeUntil(trace, Number.POSITIVE_INFINITY));
  if (trace.refused) throw trace.refused;
  if (request.promptLogprobs !== undefined && !trace.scored) throw notAsked();
  const { reason, stopString, usage, tokens } = trace;
  yield { kind: 'end', index, reason, stopString, usage, tokens };
}

function noteFuel({ services, job, exchange }: ChoiceContext, fuel: number): void {
  exchange.programUsed(fuel);
  const { tenant, model, adapter } = job;
  const owner = { tenant: tenant.id, key_id: exchange.keyId ?? '', model: model.id, adapter: adapter ?? '' };
  services.fuel.note(owner, fuel);
}

function notAsked(): RealmError {
  const message =
    "echo: the tenant's program did not ask its model for this very prompt first, so nobody knows its log-probabilities; leave logprobs out";
  return new RealmError('invalid_request', message, { param: 'echo' });
}

/** Log-probabilities come with the first of what their text added, or alone. */
function pieces(index: number, deltas: readonly AnswerDelta[], logprobs: readonly TextLogprob[]): ChoiceEvent[] {
  if (deltas.length === 0 && logprobs.length > 0) return [{ kind: 'text', index, logprobs }];
  return deltas.map((delta, i) => ({ kind: 'text', index, ...delta, logprobs: i === 0 ? logprobs : [] }));
}

/** Log-probabilities of the tokens that begin before so many characters: how far the engine is ahead of the text shows nowhere. */
function takeUntil({ logprobs }: Trace, characters: number): readonly TextLogprob[] {
  if (logprobs.length === 0) return [];
  const later = logprobs.findIndex(({ start }) => start >= characters);
  return logprobs.splice(0, later < 0 ? logprobs.length : later).flatMap(({ values }) => values);
}

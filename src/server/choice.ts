import type { EngineUsage, FinishReason, GenerateRequest } from '../engine/request.ts';
import { RealmError } from '../errors.ts';
import { withToolFormat } from '../llm/output-format.ts';
import type { TextEnd, TextLogprob } from '../llm/types.ts';
import type { ModelId } from '../sandbox/model-id.ts';
import type { ProgramHost } from '../sandbox/types.ts';
import type { TraceSpan } from '../telemetry/tracing.ts';
import { mayUseModel } from '../tenancy/tenants.ts';
import type { Token } from '../tokenizer/types.ts';
import { constraintOf } from './answer-constraint.ts';
import { type AnswerDelta, type AnswerReader, answerReader, type Place, plainReader } from './answer-reader.ts';
import { addUsage, type Exchange, noUsage } from './exchange.ts';
import type { HeldJob } from './job.ts';
import type { MeteredModel } from './metered-model.ts';
import { changedRequest, guestOptions, metadata, refusedToProgram } from './program-options.ts';
import type { PromptTokens } from './prompt-tokens.ts';
import { holdModel, type Services } from './services.ts';
import { tracedCall } from './traced.ts';

/** What the choices of a request share. */
export interface ChoiceContext {
  readonly services: Services;
  readonly job: HeldJob;
  readonly promptTokens: PromptTokens;
  readonly exchange: Exchange;
  /** Of the program's run. */
  readonly span?: TraceSpan | undefined;
}

/**
 * What happens in an answer, for all APIs. `index`: of the choice; the answers to the first prompt come first. A piece of `text` has what it adds to
 * the answer, if anything, and the log-probabilities of its tokens.
 */
export type ChoiceEvent = (ChoicePiece | TextEnd) & { readonly index: number };

export interface ChoicePiece extends AnswerDelta {
  readonly kind: 'text';
  readonly logprobs: readonly TextLogprob[];
}

/** What the program's calls to the engine leave behind, beside the text that goes through the program. */
export interface Trace {
  /** Of tokens whose text has not been streamed yet, and the text generated before each. */
  readonly logprobs: { readonly start: number; readonly values: readonly TextLogprob[] }[];
  /** Of the tokens of the client's own prompt, where they are wanted and the program has asked for it. */
  readonly prompt: TextLogprob[];
  scored: boolean;
  /** Characters generated, as JavaScript counts them. */
  generated: number;
  /** The same in code points, behind those of a prompt that is repeated; counted where offsets are wanted. */
  characters: number;
  reason: FinishReason;
  /** What ended the last call. */
  stopString: string | undefined;
  /** Over all calls until now, also when the request ends before they do. */
  usage: EngineUsage;
  /** Prompt and answer of the last call to the request's own model. */
  tokens: readonly Token[];
  /** Where the text of each token begins, of a model that may think. */
  readonly starts: number[];
  /** Where its thoughts stand. */
  thoughts: readonly Place[];
  /** The prompt of the first call had begun the model's thoughts. */
  inReasoning: boolean | undefined;
}

export const newTrace = (): Trace => ({
  logprobs: [],
  prompt: [],
  scored: false,
  generated: 0,
  characters: 0,
  reason: 'stop',
  stopString: undefined,
  usage: noUsage,
  tokens: [],
  starts: [],
  thoughts: [],
  inReasoning: undefined,
});

/** How many of the answer's tokens are thoughts and their markers. */
export function thoughtTokens({ starts, thoughts }: Trace): number {
  return starts.filter(at => thoughts.some(({ start, end }) => start <= at && at < end)).length;
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
  const { tenant, model, slot } = context.job;
  const { prompt } = request;
  await services.text.pace(prompt.length);
  const text = services.sandbox.run({
    tenant: tenant.id,
    program: services.programOf(tenant),
    limits: { ...tenant.programLimits, memoryMb: tenant.memoryMb, deadlineMs: tenant.deadlineMs, sliceMs },
    prompt,
    modelId: slot.modelId,
    options: guestOptions(model, request),
    host: programHost(context, request, trace),
    signal,
    used: use => noteFuel(context, use.fuel),
  });
  let reader: AnswerReader | undefined;
  let streamed = 0;
  for await (const piece of text) {
    streamed += piece.length;
    reader ??= readerOf(context.job, trace);
    trace.thoughts = reader.thoughts;
    yield* pieces(index, reader.push(piece), takeUntil(trace, streamed));
  }
  signal.throwIfAborted();
  yield* pieces(index, reader?.end() ?? [], takeUntil(trace, Number.POSITIVE_INFINITY));
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

function readerOf({ kind, model, tools, toolFormat }: HeldJob, { inReasoning = false }: Trace): AnswerReader {
  return kind === 'chat' ? answerReader(withToolFormat(model.format, toolFormat), tools, inReasoning) : plainReader;
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

/** The host side of the program's calls, for one request. */
function programHost(context: ChoiceContext, request: GenerateRequest<string>, trace: Trace): ProgramHost {
  const { services, job, exchange } = context;
  const find = async (modelId: ModelId): Promise<MeteredModel> => {
    const slot = services.models.at(modelId);
    // The request's own was checked: an adapter may be allowed where its model is not.
    if (slot && (modelId === job.slot.modelId || mayUseModel(job.tenant, slot.id)))
      return holdModel(services, exchange, job.tenant, slot);
    throw new RealmError('model_not_found', `The program asked for model ${modelId}, which does not exist`);
  };
  const adapterOf = (modelId: ModelId) =>
    modelId === job.slot.modelId ? job.adapter : services.adapters.ownOf(job.tenant, modelId);
  const call = async (modelId: ModelId) => {
    return { owner: job.tenant, model: await find(modelId), signal: exchange.signal };
  };
  let calls = 0;
  return {
    generate: async ({ modelId, prompt, options }, signal, onText) => {
      const model = await find(modelId);
      const own = { ...request, prompt, id: `${request.id}.${calls++}`, adapter: adapterOf(modelId) };
      try {
        await generate(context, model, changedRequest(own, options), trace, signal, onText);
      } catch (error) {
        throw refusedToProgram(error, options);
      }
    },
    encode: async (modelId, text) => services.text.run('encode', await call(modelId), text),
    decode: async (modelId, tokens) => services.text.run('decode', await call(modelId), tokens),
    metadata: async modelId => metadata(await find(modelId)),
  };
}

/** What a chat's request has of the model's own format: another model of the program's has another one. */
function chatSettings(
  { tools, toolFormat, settings }: HeldJob,
  { format }: MeteredModel,
  inReasoning: boolean,
): Pick<GenerateRequest, 'constraint' | 'markers'> {
  return {
    constraint: constraintOf(withToolFormat(format, toolFormat), tools, settings.constraint, inReasoning),
    markers: tools !== undefined || format.reasoning !== undefined || format.text !== undefined,
  };
}

/** Log-probabilities of a prompt are those of the client's own one, if the program asks for it before anything else. */
function scoring(
  { promptLogprobs, prompt }: GenerateRequest<string>,
  model: MeteredModel,
  promptTokens: PromptTokens,
  trace: Trace,
): Pick<GenerateRequest, 'promptLogprobs'> {
  if (promptLogprobs === undefined) return {};
  const wanted = !trace.scored && trace.generated === 0 && promptTokens.isGiven(model, prompt);
  trace.scored ||= wanted;
  return { promptLogprobs: wanted ? promptLogprobs : undefined };
}

function noteEnd(trace: Trace, { reason, stopString, usage }: TextEnd, before: EngineUsage): void {
  trace.usage = addUsage(before, usage);
  // Cancelled here means that the program has enough.
  trace.reason = reason === 'cancelled' ? 'stop' : reason;
  trace.stopString = stopString;
}

/** `ahead`: characters before the client's text. */
function notePrompt(trace: Trace, logprobs: readonly TextLogprob[], ahead: number): void {
  for (const each of logprobs) trace.prompt.push({ ...each, offset: Math.max(0, each.offset - ahead) });
}

/** One call of a program to a model: encodes its prompt, and hands each token's text to `onText`. */
async function generate(
  { services, job, promptTokens, exchange, span }: ChoiceContext,
  model: MeteredModel,
  request: GenerateRequest<string>,
  trace: Trace,
  signal: AbortSignal,
  onText: Parameters<ProgramHost['generate']>[2],
): Promise<void> {
  const { tenant, kind, truncate } = job;
  const { context } = model.engine.info;
  const { tokens, inReasoning } = await promptTokens.of(services, model, {
    tenant,
    kind,
    prompt: request.prompt,
    room: truncate ? Math.min(request.maxTokens ?? context, context >> 2) : undefined,
    signal: exchange.signal,
  });
  trace.inReasoning ??= inReasoning;
  const own = kind === 'chat' ? chatSettings(job, model, inReasoning) : scoring(request, model, promptTokens, trace);
  const thinks = kind === 'chat' && model.format.reasoning !== undefined;
  const engineRequest = { ...request, ...own, prompt: Array.from(tokens) as Token[] };
  const operation = kind === 'chat' ? 'chat' : 'text_completion';
  const call = { operation, model: model.id } as const;
  const events = tracedCall(span, call, engineRequest, model.generate(exchange.nextCall(), engineRequest, signal));
  const before = trace.usage;
  const earlier = trace.characters;
  const used = { promptTokens: tokens.length, cachedTokens: 0, completionTokens: 0 };
  exchange.noteSubmitted();
  for await (const event of events) {
    if (event.kind === 'end') {
      noteEnd(trace, event, before);
      if (model === job.model) trace.tokens = event.tokens;
      return;
    }
    const { text, logprobs, ofPrompt } = event;
    if (ofPrompt) {
      notePrompt(trace, logprobs, promptTokens.ahead(tokens));
      continue;
    }
    used.completionTokens++;
    if (thinks) trace.starts.push(trace.generated);
    trace.usage = addUsage(before, used);
    if (logprobs.length > 0) {
      const values = logprobs.map(each => ({ ...each, offset: earlier + each.offset }));
      trace.logprobs.push({ start: trace.generated, values });
    }
    if (request.topLogprobs !== undefined) trace.characters += [...text].length;
    trace.generated += text.length;
    const room = text === '' ? undefined : onText(text);
    if (room) await room;
  }
}

import type { EngineUsage, FinishReason, Sampling } from '../engine/types.ts';
import { RealmError } from '../errors.ts';
import type { LoadedModel } from '../llm/load.ts';
import { tokenBudget } from '../llm/prompt.ts';
import type { TextLogprob } from '../llm/types.ts';
import { isWithin, outside, type Range, ranges } from '../ranges.ts';
import type { GenOptions, ProgramHost } from '../sandbox/types.ts';
import type { Tenant } from '../tenancy/tenants.ts';
import type { Token } from '../tokenizer/types.ts';
import { addUsage, noUsage } from './exchange.ts';
import type { Settings } from './fields.ts';
import type { PromptTokens } from './prompt-tokens.ts';
import type { Services } from './services.ts';

/** One answer to one prompt: a run of the tenant's program. */
export interface ChoiceRequest {
  /** Unique over all requests and choices. */
  readonly id: string;
  readonly tenant: Tenant;
  readonly modelId: number;
  /** Of that model. */
  readonly adapter?: string;
  /** The chat document, or plain text. */
  readonly prompt: string;
  readonly kind: 'chat' | 'completion';
  /** Shared by the choices of a request. */
  readonly promptTokens: PromptTokens;
  readonly settings: Settings;
  readonly signal: AbortSignal;
  /** Called for every request of the program that goes to an engine. */
  submitted(): void;
}

export type ChoiceEvent =
  | { readonly kind: 'text'; readonly text: string; readonly logprobs: readonly TextLogprob[] }
  | { readonly kind: 'end'; readonly reason: FinishReason };

/** What the program's calls to the engine leave behind, beside the text that goes through the program. */
export interface Trace {
  /** Of tokens whose text has not been streamed yet, and the text generated before each. */
  readonly logprobs: { readonly start: number; readonly values: readonly TextLogprob[] }[];
  /** Characters generated, as JavaScript counts them. */
  generated: number;
  /** The same in code points; counted where offsets are wanted. */
  characters: number;
  reason: FinishReason;
  /** Over all calls until now, also when the request ends before they do. */
  usage: EngineUsage;
  /** Prompt and answer of the last call to the request's own model. */
  tokens: readonly Token[];
}

export const newTrace = (): Trace => ({
  logprobs: [],
  generated: 0,
  characters: 0,
  reason: 'stop',
  usage: noUsage,
  tokens: [],
});

/** Longest stretch of a program's own computing between two calls to the host. */
const sliceMs = 2_000;

/** Runs the tenant's program on the prompt; log-probabilities travel with the text of their tokens. */
export async function* runChoice(
  services: Services,
  request: ChoiceRequest,
  trace: Trace,
): AsyncGenerator<ChoiceEvent> {
  const { tenant, id, prompt, modelId, signal } = request;
  await services.text.pace(prompt.length);
  const text = services.sandbox.run({
    requestId: id,
    tenant: tenant.id,
    program: services.programOf(tenant),
    limits: { memoryMb: tenant.memoryMb, deadlineMs: tenant.deadlineMs, sliceMs },
    prompt,
    modelId,
    options: guestOptions(services.models[modelId], request.settings),
    host: programHost(services, request, trace),
    signal,
  });
  let streamed = 0;
  for await (const piece of text) {
    streamed += piece.length;
    yield { kind: 'text', text: piece, logprobs: takeUntil(trace, streamed) };
  }
  signal.throwIfAborted();
  const rest = takeUntil(trace, Number.POSITIVE_INFINITY);
  if (rest.length > 0) yield { kind: 'text', text: '', logprobs: rest };
  yield { kind: 'end', reason: trace.reason };
}

/** Log-probabilities of the tokens that begin before so many characters: how far the engine is ahead of the text shows nowhere. */
function takeUntil({ logprobs }: Trace, characters: number): TextLogprob[] {
  const later = logprobs.findIndex(({ start }) => start >= characters);
  return logprobs.splice(0, later < 0 ? logprobs.length : later).flatMap(({ values }) => values);
}

/** The host side of the program's calls, for one request. */
function programHost(services: Services, request: ChoiceRequest, trace: Trace): ProgramHost {
  const find = (modelId: number): LoadedModel => {
    const model = services.models[modelId];
    if (model === undefined)
      throw new RealmError('model_not_found', `The program asked for model ${modelId}, which is not loaded`);
    return model;
  };
  const adapterOf = (modelId: number) =>
    modelId === request.modelId ? request.adapter : services.adapters.ownOf(request.tenant, modelId);
  const call = (modelId: number) => ({ owner: request.tenant, model: find(modelId), signal: request.signal });
  let calls = 0;
  return {
    generate: ({ modelId, prompt, options }, signal) =>
      generate(
        services,
        find(modelId),
        { ...request, prompt, id: `${request.id}.${calls++}`, adapter: adapterOf(modelId) },
        options,
        trace,
        signal,
      ),
    encode: async (modelId, text) => services.text.run('encode', call(modelId), text),
    decode: async (modelId, tokens) => services.text.run('decode', call(modelId), tokens),
    metadata: modelId => metadata(find(modelId)),
  };
}

async function* generate(
  services: Services,
  model: LoadedModel,
  request: ChoiceRequest,
  changed: Partial<GenOptions>,
  trace: Trace,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const { id, tenant, adapter, settings } = request;
  const encoded = await request.promptTokens.of(services, model, request);
  const asked = changed.maxTokens ?? settings.maxTokens;
  const maxTokens = tokenBudget(
    model.engine.info,
    encoded.length,
    asked,
    request.kind === 'chat' ? 'messages' : 'prompt',
  );
  const events = model.generate(
    {
      id,
      tenant: tenant.id,
      tokens: Array.from(encoded) as Token[],
      maxTokens,
      sampling: { ...model.defaults.sampling, ...settings.sampling, ...guestSampling(changed) },
      stop: settings.stop,
      stopTokens: changed.stopTokens as readonly Token[] | undefined,
      topLogprobs: settings.topLogprobs,
      adapter,
      priority: settings.priority,
      queueMs: tenant.queueMs,
    },
    signal,
  );
  const before = trace.usage;
  const earlier = trace.characters;
  let used: EngineUsage = { promptTokens: encoded.length, cachedTokens: 0, completionTokens: 0 };
  request.submitted();
  for await (const event of events) {
    if (event.kind === 'end') {
      trace.usage = addUsage(before, event.usage);
      if (model === services.models[request.modelId]) trace.tokens = event.tokens;
      // Cancelled here means that the program has enough.
      trace.reason = event.reason === 'cancelled' ? 'stop' : event.reason;
      return;
    }
    used = { ...used, completionTokens: used.completionTokens + 1 };
    trace.usage = addUsage(before, used);
    if (event.logprobs.length > 0) {
      const values = event.logprobs.map(each => ({ ...each, offset: earlier + each.offset }));
      trace.logprobs.push({ start: trace.generated, values });
    }
    if (settings.topLogprobs !== undefined) trace.characters += [...event.text].length;
    trace.generated += event.text.length;
    if (event.text !== '') yield event.text;
  }
}

/** The settings as a program sees them. */
function guestOptions(model: LoadedModel, settings: Settings): GenOptions {
  const sampling = { ...model.defaults.sampling, ...settings.sampling };
  return {
    maxTokens: Math.min(settings.maxTokens ?? Number.POSITIVE_INFINITY, model.engine.info.context),
    temperature: sampling.temperature ?? 1,
    topP: sampling.topP ?? 1,
    topK: sampling.topK ?? 0,
    repetitionPenalty: sampling.repetitionPenalty ?? 1,
    seed: BigInt.asUintN(64, BigInt(sampling.seed ?? 0)),
    stopTokens: [],
  };
}

/** The sampling that a program changed, checked: it is as untrusted as a request. */
function guestSampling({ temperature, topP, topK, repetitionPenalty, seed }: Partial<GenOptions>): Sampling {
  const inRange = (value: number | undefined, range: Range) => {
    if (value === undefined || isWithin(value, range)) return value;
    const { field } = range;
    throw new RealmError('invalid_request', `The program asked for ${field} ${value}; it ${outside(value, range)}`);
  };
  const fields: Sampling = {
    temperature: inRange(temperature, ranges.temperature),
    topP: inRange(topP, ranges.topP),
    topK: inRange(topK, ranges.topK),
    repetitionPenalty: inRange(repetitionPenalty, ranges.repetitionPenalty),
  };
  const changed = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
  // 0 is the program's word for a random seed.
  return seed === undefined ? changed : { ...changed, seed: seed === 0n ? undefined : seed };
}

function metadata({ id, engine, tokenizer }: LoadedModel): string {
  const { architecture, context, trainedContext, vocabSize, width } = engine.info;
  return JSON.stringify({
    id,
    architecture,
    context,
    trained_context: trainedContext,
    vocab_size: vocabSize,
    width,
    bos_token: tokenizer.bos,
    eos_token: tokenizer.eos,
  });
}

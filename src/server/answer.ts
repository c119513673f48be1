import type { EngineUsage } from '../engine/types.ts';
import { asRealmError, RealmError } from '../errors.ts';
import type { LoadedModel } from '../llm/load.ts';
import type { Tenant } from '../tenancy/tenants.ts';
import { type ChoiceEvent, newTrace, runChoice, type Trace } from './choice.ts';
import { errorBody } from './errors.ts';
import { addUsage, type Exchange, noUsage } from './exchange.ts';
import type { Settings } from './fields.ts';
import { merge } from './merge.ts';
import { PromptTokens } from './prompt-tokens.ts';
import { findModel, type NamedModel, type Services } from './services.ts';

/** A validated request for text: `settings.n` answers to each prompt. */
export interface Job extends NamedModel {
  readonly tenant: Tenant;
  readonly kind: 'chat' | 'completion';
  readonly prompts: readonly string[];
  readonly settings: Settings;
}

export interface AnswerEvent {
  /** Of the choice; the answers to the first prompt come first. */
  readonly index: number;
  readonly value: ChoiceEvent;
}

/** Checks what needs the model or the server's limits, and notes in the exchange whose and for which model it is. */
export function createJob(
  services: Services,
  exchange: Exchange,
  request: {
    tenant: Tenant;
    model: string | undefined;
    kind: Job['kind'];
    prompts: readonly string[];
    settings: Settings;
  },
): Job {
  const { tenant, kind, prompts, settings } = request;
  const named = findModel(services, tenant, request.model);
  const { model } = named;
  const { choices } = services.limits;
  if (settings.n * prompts.length > choices) {
    throw new RealmError('invalid_request', `n: is too large; one request gets at most ${choices} answers`, {
      param: 'n',
    });
  }
  checkBias(model, settings);
  checkSessions(services, settings, prompts.length);
  exchange.model = model.id;
  return { ...named, tenant, kind, prompts, settings };
}

function checkSessions({ sessions }: Services, { session, saveSession, n }: Settings, prompts: number): void {
  if (session !== undefined) sessions.checkEnabled('session');
  if (saveSession === undefined) return;
  sessions.checkEnabled('save_session');
  if (n * prompts === 1) return;
  const message = 'save_session: a request for several answers saves none; ask for one';
  throw new RealmError('invalid_request', message, { param: 'save_session' });
}

function checkBias(model: LoadedModel, { sampling }: Settings): void {
  const { vocabSize } = model.engine.info;
  const wrong = sampling.logitBias?.findIndex((token, i) => i % 2 === 0 && token >= vocabSize) ?? -1;
  if (wrong < 0) return;
  const param = `logit_bias.${sampling.logitBias![wrong]}`;
  const message = `${param}: there is no such token; the vocabulary has ${vocabSize}`;
  throw new RealmError('invalid_request', message, { param });
}

/** Runs all the choices at once, each in a program of its own; the first failure ends them all. */
export async function* answer(services: Services, exchange: Exchange, job: Job): AsyncGenerator<AnswerEvent> {
  const { prompts, settings } = job;
  const traces = Array.from({ length: prompts.length * settings.n }, newTrace);
  exchange.usage = () => totalUsage(traces, settings.n);
  try {
    if (settings.session !== undefined) await services.sessions.restore({ ...placeOf(job), id: settings.session });
    for await (const event of merge(choices(services, exchange, job, traces))) {
      if (event.value.kind === 'text') exchange.token();
      yield event;
    }
    if (settings.saveSession !== undefined) exchange.session = await save(services, exchange, job, traces[0]);
  } catch (error) {
    // What failed because it was aborted failed for the reason of the abort.
    exchange.signal.throwIfAborted();
    exchange.cancel(new RealmError('request_cancelled', 'Another answer of the same request failed'));
    throw error;
  }
}

function placeOf({ tenant, model, adapter }: Job) {
  return { tenant: tenant.id, model, adapter };
}

/** What the answer says of the session: the answer is not lost where it could not be saved. */
async function save(services: Services, exchange: Exchange, job: Job, { tokens }: Trace): Promise<object> {
  const id = job.settings.saveSession!;
  try {
    const info = await services.sessions.save({ ...placeOf(job), id }, tokens);
    return { id, tokens: info.tokens, computed_tokens: info.computed, bytes: info.bytes };
  } catch (error) {
    const failure = asRealmError(error);
    const { code, message, cause } = failure;
    const detail = cause instanceof Error ? cause.message : undefined;
    services.logger.log('warn', 'session not saved', { tenant: job.tenant.id, code, message, detail });
    const said = errorBody(failure, exchange.id).error;
    return { id, error: { code, message: said.message } };
  }
}

function choices(
  services: Services,
  exchange: Exchange,
  job: Job,
  traces: readonly Trace[],
): AsyncGenerator<ChoiceEvent>[] {
  const { prompts, settings, tenant, modelId, adapter, kind } = job;
  const promptTokens = new PromptTokens();
  return traces.map((trace, index) => {
    const id = `${exchange.id}.${index}`;
    const prompt = prompts[Math.floor(index / settings.n)];
    const own = withSeed(settings, index % settings.n);
    const { signal } = exchange;
    const submitted = () => exchange.noteSubmitted();
    const request = { id, tenant, modelId, adapter, kind, prompt, promptTokens, settings: own, signal, submitted };
    return runChoice(services, request, trace);
  });
}

/** The answers to one prompt differ: each has the next seed; after the last of 64 bits comes the first. */
function withSeed(settings: Settings, offset: number): Settings {
  const { seed } = settings.sampling;
  if (seed === undefined || offset === 0) return settings;
  return { ...settings, sampling: { ...settings.sampling, seed: BigInt.asUintN(64, BigInt(seed) + BigInt(offset)) } };
}

/** As OpenAI counts: a prompt once, however many answers it has; every generated token. */
function totalUsage(traces: readonly Trace[], n: number): EngineUsage {
  let total = noUsage;
  for (let i = 0; i < traces.length; i += n) {
    const usages = traces.slice(i, i + n).map(({ usage }) => usage);
    const largest = usages.reduce((a, b) => (b.promptTokens > a.promptTokens ? b : a));
    const completionTokens = usages.reduce((sum, usage) => sum + usage.completionTokens, 0);
    total = addUsage(total, { ...largest, completionTokens });
  }
  return total;
}

import type { EngineUsage, GenerateRequest } from '../engine/request.ts';
import { asRealmError, RealmError } from '../errors.ts';
import { type ChoiceEvent, newTrace, runChoice, type Trace } from './choice.ts';
import { errorBody } from './errors.ts';
import { addUsage, type Exchange, noUsage } from './exchange.ts';
import { type GivenPrompt, givenPrompts } from './given-prompts.ts';
import type { Job } from './job.ts';
import { merge } from './merge.ts';
import { PromptTokens } from './prompt-tokens.ts';
import type { Services } from './services.ts';

/** Runs all the choices at once, each in a program of its own; the first failure ends them all. */
export async function* answer(services: Services, exchange: Exchange, job: Job): AsyncGenerator<ChoiceEvent> {
  const { session, saveSession } = job;
  const prompts = await givenPrompts(services, job, exchange.signal);
  const requests = requestsOf(exchange, job, prompts);
  const traces = requests.map(newTrace);
  exchange.usage = () => totalUsage(traces, job.n);
  try {
    if (session !== undefined) await services.sessions.restore({ ...placeOf(job), id: session });
    for await (const event of merge(choices(services, exchange, job, prompts, requests, traces))) {
      if (event.kind === 'text') exchange.token();
      yield event;
    }
    if (saveSession !== undefined) exchange.session = await save(services, exchange, job, saveSession, traces[0]);
  } catch (error) {
    // What failed because it was aborted failed for the reason of the abort.
    exchange.signal.throwIfAborted();
    exchange.cancel(new RealmError('request_cancelled', 'Another answer of the same request failed'));
    throw error;
  }
}

/** One request for each answer; its id is unique over all requests and choices. */
function requestsOf(
  { id }: Exchange,
  { n, settings, tenant, adapter }: Job,
  prompts: readonly GivenPrompt[],
): GenerateRequest<string>[] {
  return Array.from({ length: prompts.length * n }, (_, index) => ({
    ...settings,
    sampling: withSeed(settings, index % n),
    id: `${id}.${index}`,
    tenant: tenant.id,
    prompt: prompts[Math.floor(index / n)]!.text,
    adapter,
    queueMs: tenant.queueMs,
  }));
}

/** The answers to one prompt differ: each has the next seed; after the last of 64 bits comes the first. */
function withSeed({ sampling }: Job['settings'], offset: number): Job['settings']['sampling'] {
  const { seed } = sampling;
  if (seed === undefined || offset === 0) return sampling;
  return { ...sampling, seed: BigInt.asUintN(64, BigInt(seed) + BigInt(offset)) };
}

function choices(
  services: Services,
  exchange: Exchange,
  job: Job,
  prompts: readonly GivenPrompt[],
  requests: readonly GenerateRequest<string>[],
  traces: readonly Trace[],
): AsyncGenerator<ChoiceEvent>[] {
  const { signal } = exchange;
  const submitted = () => exchange.noteSubmitted();
  const contexts = prompts.map(prompt => {
    return { services, job, promptTokens: new PromptTokens(prompt, job.model), signal, submitted };
  });
  return requests.map((request, index) => {
    const context = contexts[Math.floor(index / job.n)]!;
    const choice = runChoice(context, request, index, traces[index]!);
    return job.echo ? echoed(choice, index, request.prompt) : choice;
  });
}

/** The answer behind its prompt. */
async function* echoed(
  choice: AsyncGenerator<ChoiceEvent>,
  index: number,
  prompt: string,
): AsyncGenerator<ChoiceEvent> {
  try {
    yield { kind: 'text', index, content: prompt, logprobs: [] };
    yield* choice;
  } finally {
    await choice.return(undefined);
  }
}

function placeOf({ tenant, model, adapter }: Job) {
  return { tenant: tenant.id, model, adapter };
}

/** What the answer says of the session: the answer is not lost where it could not be saved. */
async function save(services: Services, exchange: Exchange, job: Job, id: string, { tokens }: Trace): Promise<object> {
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

import type { GenerateRequest } from '../engine/request.ts';
import { asRealmError, RealmError } from '../errors.ts';
import { characters } from '../llm/text-logprobs.ts';
import { addUsage, noUsage } from '../llm/usage.ts';
import { shareOf } from '../tenancy/tenants.ts';
import { type ChoiceEvent, runChoice } from './choice.ts';
import { debugged } from './debug-log.ts';
import { errorBody } from './errors.ts';
import type { Asking, Usage } from './exchange.ts';
import { type GivenPrompt, givenPrompts } from './given-prompts.ts';
import { type HeldJob, holdJob, type Job } from './job.ts';
import { merge } from './merge.ts';
import { newTrace, type Trace, thoughtTokens } from './program-host/trace.ts';
import { PromptTokens } from './prompt-tokens.ts';
import type { Services } from './services.ts';
import { spanned } from './traced.ts';
import { logprobsAtOnce } from './whole-logprobs.ts';

/** Runs all the choices at once, each in a program of its own; the first failure ends them all. */
export async function* answer(services: Services, exchange: Asking, wanted: Job): AsyncGenerator<ChoiceEvent> {
  const job = await holdJob(services, exchange, wanted);
  const { session, saveSession } = job;
  const prompts = await givenPrompts(services, job, exchange.signal);
  const choices = choicesOf(exchange, job, prompts);
  exchange.usage = () => totalUsage(choices, job.n);
  try {
    if (session !== undefined) await services.sessions.restore({ ...placeOf(job), id: session });
    const events = merge(runAll(services, exchange, job, choices));
    for await (const event of debugged(services, exchange, job, prompts, events)) {
      if (event.kind === 'text') exchange.token();
      yield event;
    }
    const [first] = choices;
    if (saveSession !== undefined && first)
      exchange.session = await save(services, exchange, job, saveSession, first.trace);
  } catch (error) {
    // What failed because it was aborted failed for the reason of the abort.
    exchange.signal.throwIfAborted();
    exchange.cancel(new RealmError('request_cancelled', 'Another answer of the same request failed'));
    throw error;
  }
}

/** One of a job's answers: what is asked for, and what the program leaves behind. */
interface Choice {
  readonly request: GenerateRequest<string>;
  readonly trace: Trace;
  /** Of all answers to its prompt. */
  readonly promptTokens: PromptTokens;
}

/** `n` for each prompt, the first prompt's first; a request's id is unique over all jobs and choices. */
function choicesOf(
  { id }: Asking,
  { model, n, settings, tenant, adapter }: HeldJob,
  prompts: readonly GivenPrompt[],
): Choice[] {
  const requestOf = (prompt: string, index: number): GenerateRequest<string> => ({
    ...settings,
    sampling: withSeed(settings, index % n),
    id: `${id}.${index}`,
    tenant: tenant.id,
    prompt,
    adapter,
    queueMs: tenant.queueMs,
    share: shareOf(tenant),
  });
  const wanted = prompts.flatMap(prompt => {
    const promptTokens = new PromptTokens(prompt, model);
    const { text } = prompt;
    return Array.from({ length: n }, () => ({ text, promptTokens }));
  });
  return wanted.map(({ text, promptTokens }, index) => {
    return { request: requestOf(text, index), trace: newTrace(), promptTokens };
  });
}

/** The answers to one prompt differ: each has the next seed; after the last of 64 bits comes the first. */
function withSeed({ sampling }: Job['settings'], offset: number): Job['settings']['sampling'] {
  const { seed } = sampling;
  if (seed === undefined || offset === 0) return sampling;
  return { ...sampling, seed: BigInt.asUintN(64, BigInt(seed) + BigInt(offset)) };
}

function runAll(
  services: Services,
  exchange: Asking,
  job: HeldJob,
  choices: readonly Choice[],
): AsyncGenerator<ChoiceEvent>[] {
  return choices.map(({ request, trace, promptTokens }, index) => {
    const span = exchange.span?.child(`program ${job.program.name}`, { 'realm.choice': index });
    const run = runChoice({ services, job, promptTokens, exchange, span }, request, index, trace);
    const events = spanned(span, run);
    return job.echo ? echoed(events, index, request, trace) : events;
  });
}

/** The answer behind its prompt, whose log-probabilities are there with the answer's first event. */
async function* echoed(
  events: AsyncGenerator<ChoiceEvent>,
  index: number,
  { prompt, promptLogprobs }: GenerateRequest<string>,
  trace: Trace,
): AsyncGenerator<ChoiceEvent> {
  try {
    if (promptLogprobs !== undefined) trace.characters = characters(prompt);
    const first = promptLogprobs === undefined ? undefined : await events.next();
    yield { kind: 'text', index, content: prompt, logprobs: trace.prompt.splice(0, logprobsAtOnce) };
    while (trace.prompt.length > 0) yield { kind: 'text', index, logprobs: trace.prompt.splice(0, logprobsAtOnce) };
    if (first && !first.done) yield first.value;
    yield* events;
  } finally {
    await events.return(undefined);
  }
}

function placeOf({ tenant, model, adapter }: HeldJob) {
  return { tenant: tenant.id, model, adapter };
}

/** What the answer says of the session: the answer is not lost where it could not be saved. */
async function save(
  services: Services,
  exchange: Asking,
  job: HeldJob,
  id: string,
  { tokens }: Trace,
): Promise<object> {
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
function totalUsage(choices: readonly Choice[], n: number): Usage {
  let total = noUsage;
  for (let i = 0; i < choices.length; i += n) {
    const usages = choices.slice(i, i + n).map(({ trace }) => trace.usage);
    const largest = usages.reduce((a, b) => (b.promptTokens > a.promptTokens ? b : a));
    const completionTokens = usages.reduce((sum, usage) => sum + usage.completionTokens, 0);
    total = addUsage(total, { ...largest, completionTokens });
  }
  return { ...total, reasoningTokens: choices.reduce((sum, { trace }) => sum + thoughtTokens(trace), 0) };
}

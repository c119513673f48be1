import type { GenerateRequest } from '../../engine/request.ts';
import { constraintOf } from '../../llm/answer-constraint.ts';
import { markersIn, withToolFormat } from '../../llm/output-format.ts';
import type { TextLogprob } from '../../llm/types.ts';
import { addUsage } from '../../llm/usage.ts';
import type { ProgramHost } from '../../sandbox/types.ts';
import type { Token } from '../../tokenizer/types.ts';
import type { HeldJob } from '../job.ts';
import type { MeteredModel } from '../metered-model.ts';
import type { PromptTokens } from '../prompt-tokens.ts';
import { tracedCall } from '../traced.ts';
import type { ChoiceContext } from './context.ts';
import { noteEnd, type Trace } from './trace.ts';

/** What a chat's request has of the model's own format: another model of the program's has another one. */
function chatSettings(
  job: HeldJob,
  model: MeteredModel,
  inReasoning: boolean,
): Pick<GenerateRequest, 'constraint' | 'markers'> {
  const { tools, toolFormat, settings } = job;
  const format = withToolFormat(model.format, toolFormat);
  return {
    constraint: constraintOf(format, tools, settings.constraint, inReasoning),
    markers: markersIn(model.format, tools),
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

/** `ahead`: characters before the client's text. */
function notePrompt(trace: Trace, logprobs: readonly TextLogprob[], ahead: number): void {
  for (const each of logprobs) trace.prompt.push({ ...each, offset: Math.max(0, each.offset - ahead) });
}

/** One call of a program to a model: encodes its prompt, and hands each token's text to `onText`. */
export async function generate(
  { services, job, promptTokens, exchange, span }: ChoiceContext,
  model: MeteredModel,
  request: GenerateRequest<string>,
  trace: Trace,
  signal: AbortSignal,
  onText: Parameters<ProgramHost['generate']>[2],
): Promise<void> {
  const { tenant, kind, truncate, toolFormat } = job;
  const { context } = model.engine.info;
  const { tokens, inReasoning } = await promptTokens.of(services, model, {
    tenant,
    kind,
    prompt: request.prompt,
    toolFormat,
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
      trace.usage = addUsage(before, event.usage);
      noteEnd(trace, event);
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

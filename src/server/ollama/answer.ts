import type { AnswerDelta } from '../../llm/answer-reader.ts';
import type { TextLogprob } from '../../llm/types.ts';
import type { ChoiceEvent } from '../choice.ts';
import type { Exchange } from '../exchange.ts';
import { logprobEntries } from '../format.ts';
import type { Job } from '../job.ts';
import type { StreamWriter } from '../sse.ts';
import { type WholeChoice, wholeChoices } from '../whole-choice.ts';
import { ollamaError } from './errors.ts';

/** Ollama's answers: lines of JSON, the last of which has the figures. */

/** Where the two routes have the words of the answer. */
export type Shape = (said: Said) => object;

interface Said {
  readonly content: string;
  readonly thinking?: string | undefined;
  readonly calls?: WholeChoice['calls'];
}

export const chatShape: Shape = ({ content, thinking, calls }) => ({
  message: {
    role: 'assistant',
    content,
    ...(thinking && { thinking }),
    ...(calls && calls.length > 0 && { tool_calls: calls.map(toToolCall) }),
  },
});

export const generateShape: Shape = ({ content, thinking }) => ({ response: content, ...(thinking && { thinking }) });

function toToolCall({ id, name, arguments: json }: WholeChoice['calls'][number], index: number): object {
  return { id, function: { index, name, arguments: parsed(json) } };
}

/** Arguments of an answer that was cut off are no JSON. */
function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return {};
  }
}

export async function wholeOllama(
  shape: Shape,
  exchange: Exchange,
  job: Job,
  events: AsyncGenerator<ChoiceEvent>,
): Promise<object> {
  const clock = new Clock();
  const [choice] = await wholeChoices(clock.watch(events), 1);
  const { content, reasoning, calls, reason, logprobs } = choice!;
  return {
    ...head(job),
    ...shape({ content, thinking: reasoning, calls }),
    ...likelihoods(job, logprobs),
    ...figures(exchange, clock, reason),
  };
}

export function ollamaWriter(shape: Shape, exchange: Exchange, job: Job): StreamWriter {
  const clock = new Clock();
  const calls = new CallCollector();
  let reason = 'stop';
  const say = (said: Said, more: object = {}) => line({ ...head(job), ...shape(said), ...more, done: false });
  return {
    type: 'application/x-ndjson',
    // White space before the next line is none of a reader's business.
    sign: ' ',
    of(event) {
      if (event.kind === 'end') {
        reason = event.reason;
        return '';
      }
      clock.token();
      calls.add(event);
      const { content = '', reasoning: thinking, logprobs } = event;
      if (content === '' && !thinking && logprobs.length === 0) return '';
      return say({ content, thinking }, likelihoods(job, logprobs));
    },
    end() {
      const called = calls.calls.length > 0 ? say({ content: '', calls: calls.calls }) : '';
      return called + line({ ...head(job), ...shape({ content: '' }), ...figures(exchange, clock, reason) });
    },
    failed: error => line(ollamaError(error, exchange.id)),
  };
}

/** Calls are told when they are complete: their arguments are objects. */
class CallCollector {
  readonly calls: WholeChoice['calls'] = [];

  add({ calls = [] }: AnswerDelta): void {
    for (const { index, id = '', name = '', arguments: text } of calls) {
      const known = this.calls[index] ?? { id, name, arguments: '' };
      this.calls[index] = { ...known, arguments: known.arguments + text };
    }
  }
}

/** When it began, and when the first token came. */
class Clock {
  readonly #begun = performance.now();
  #first: number | undefined;

  token(): void {
    this.#first ??= performance.now();
  }

  async *watch(events: AsyncIterable<ChoiceEvent>): AsyncGenerator<ChoiceEvent> {
    for await (const event of events) {
      this.token();
      yield event;
    }
  }

  /** In nanoseconds: all of it, the prompt, the answer. */
  read(): { total: number; prompt: number; answer: number } {
    const now = performance.now();
    const first = this.#first ?? now;
    const ns = (ms: number) => Math.round(ms * 1e6);
    return { total: ns(now - this.#begun), prompt: ns(first - this.#begun), answer: ns(now - first) };
  }
}

/** Log-probabilities, where they were asked for. */
function likelihoods({ settings }: Job, logprobs: readonly TextLogprob[]): object {
  return settings.topLogprobs === undefined ? {} : { logprobs: logprobEntries(logprobs) };
}

const line = (object: object): string => `${JSON.stringify(object)}\n`;

const head = ({ name }: Job) => ({ model: name, created_at: new Date().toISOString() });

function figures(exchange: Exchange, clock: Clock, reason: string): object {
  const { promptTokens, completionTokens } = exchange.usage();
  const { total, prompt, answer } = clock.read();
  return {
    done: true,
    done_reason: reason,
    total_duration: total,
    load_duration: 0,
    prompt_eval_count: promptTokens,
    prompt_eval_duration: prompt,
    eval_count: completionTokens,
    eval_duration: answer,
  };
}

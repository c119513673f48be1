import { isUtf8 } from 'node:buffer';
import type { EngineUsage, FinishReason } from '../engine/types.ts';
import type { TextLogprob } from '../llm/types.ts';
import type { AnswerEvent, Job } from './answer.ts';
import type { Exchange } from './exchange.ts';

/** What differs between the two routes' answers: names, and the shapes of a choice. */
export interface Format {
  readonly idPrefix: string;
  readonly object: { readonly whole: string; readonly chunk: string };
  /** The choice's first chunk, before its text. */
  start?(index: number): object;
  delta(index: number, text: string, logprobs: object | null): object;
  end(index: number, reason: FinishReason): object;
  whole(index: number, text: string, logprobs: object | null, reason: FinishReason): object;
  logprobs(logprobs: readonly TextLogprob[]): object;
}

/** The chunks of a streamed answer, in order. */
export async function* chunks(
  format: Format,
  exchange: Exchange,
  job: Job,
  events: AsyncIterable<AnswerEvent>,
): AsyncGenerator<object> {
  const head = header(format.idPrefix, format.object.chunk, exchange, job);
  const { includeUsage, topLogprobs } = job.settings;
  const chunk = (choices: object[], usage: object | null) => ({ ...head, choices, ...(includeUsage ? { usage } : {}) });
  const started = new Set<number>();
  for await (const { index, value } of events) {
    if (format.start !== undefined && !started.has(index)) yield chunk([format.start(index)], null);
    started.add(index);
    if (value.kind === 'end') {
      yield chunk([format.end(index, value.reason)], null);
      continue;
    }
    const logprobs = topLogprobs === undefined ? null : format.logprobs(value.logprobs);
    yield chunk([format.delta(index, value.text, logprobs)], null);
  }
  const { session } = exchange;
  if (session) yield { ...chunk([], null), session };
  if (includeUsage) yield chunk([], usageBody(exchange.usage()));
}

/** The answer in one piece. */
export async function whole(
  format: Format,
  exchange: Exchange,
  job: Job,
  events: AsyncIterable<AnswerEvent>,
): Promise<object> {
  const choices = Array.from({ length: job.prompts.length * job.settings.n }, () => ({
    text: '',
    logprobs: [] as TextLogprob[],
    reason: 'stop' as FinishReason,
  }));
  for await (const { index, value } of events) {
    const choice = choices[index];
    if (value.kind === 'end') choice.reason = value.reason;
    else {
      choice.text += value.text;
      choice.logprobs.push(...value.logprobs);
    }
  }
  const logprobs = (list: TextLogprob[]) => (job.settings.topLogprobs === undefined ? null : format.logprobs(list));
  return {
    ...header(format.idPrefix, format.object.whole, exchange, job),
    choices: choices.map(({ text, logprobs: list, reason }, i) => format.whole(i, text, logprobs(list), reason)),
    usage: usageBody(exchange.usage()),
    ...(exchange.session && { session: exchange.session }),
  };
}

function header(prefix: string, object: string, exchange: Exchange, job: Job) {
  return {
    id: exchange.id.replace('req_', prefix),
    object,
    created: Math.floor(Date.now() / 1000),
    model: job.name,
  };
}

function usageBody({ promptTokens, cachedTokens, completionTokens }: EngineUsage): object {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
  };
}

export const chatFormat: Format = {
  idPrefix: 'chatcmpl-',
  object: { whole: 'chat.completion', chunk: 'chat.completion.chunk' },
  start: index => ({ index, delta: { role: 'assistant', content: '' }, logprobs: null, finish_reason: null }),
  delta: (index, content, logprobs) => ({ index, delta: { content }, logprobs, finish_reason: null }),
  end: (index, reason) => ({ index, delta: {}, logprobs: null, finish_reason: reason }),
  whole: (index, content, logprobs, reason) => ({
    index,
    message: { role: 'assistant', content, refusal: null },
    logprobs,
    finish_reason: reason,
  }),
  logprobs: list => {
    const entry = ({ token, logprob, bytes }: Omit<TextLogprob, 'top' | 'offset'>) => ({ token, logprob, bytes });
    return { content: list.map(token => ({ ...entry(token), top_logprobs: token.top.map(entry) })), refusal: null };
  },
};

export const completionFormat: Format = {
  idPrefix: 'cmpl-',
  object: { whole: 'text_completion', chunk: 'text_completion' },
  delta: (index, text, logprobs) => ({ index, text, logprobs, finish_reason: null }),
  end: (index, reason) => ({ index, text: '', logprobs: null, finish_reason: reason }),
  whole: (index, text, logprobs, reason) => ({ index, text, logprobs, finish_reason: reason }),
  logprobs: list => ({
    tokens: list.map(tokenName),
    token_logprobs: list.map(({ logprob }) => logprob),
    top_logprobs: list.map(({ top }) => byName(top)),
    text_offset: list.map(({ offset }) => offset),
  }),
};

/** Best first: where two tokens have the same bytes, the likelier one has the name. */
function byName(top: TextLogprob['top']): Record<string, number> {
  return Object.fromEntries(top.map(each => [tokenName(each), each.logprob] as const).reverse());
}

/** A token's text, or, of one that is no whole characters, its bytes as OpenAI writes them: `bytes:\xe2\x82`. */
function tokenName({ token, bytes }: Pick<TextLogprob, 'token' | 'bytes'>): string {
  if (isUtf8(Uint8Array.from(bytes))) return token;
  const printable = (byte: number) => byte >= 0x20 && byte < 0x7f && byte !== 0x5c;
  const escaped = (byte: number) => `\\x${byte.toString(16).padStart(2, '0')}`;
  return `bytes:${bytes.map(byte => (printable(byte) ? String.fromCharCode(byte) : escaped(byte))).join('')}`;
}

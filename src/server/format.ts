import { isUtf8 } from 'node:buffer';
import type { EngineUsage, FinishReason } from '../engine/request.ts';
import type { TextLogprob } from '../llm/types.ts';
import type { ChoiceEvent } from './choice.ts';
import type { Exchange } from './exchange.ts';
import type { Job } from './job.ts';

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

/** A streamed answer's chunks, as its events come. */
export interface Chunks {
  of(event: ChoiceEvent): readonly object[];
  /** What is left to say when all choices have ended. */
  rest(): readonly object[];
}

export function chunksOf(format: Format, exchange: Exchange, job: Job): Chunks {
  const head = header(format.idPrefix, format.object.chunk, exchange, job);
  const { includeUsage } = job;
  const { topLogprobs } = job.settings;
  const chunk = (choices: object[], usage: object | null) => ({ ...head, choices, ...(includeUsage ? { usage } : {}) });
  const started = new Set<number>();
  const said = (event: ChoiceEvent): object => {
    if (event.kind === 'end') return format.end(event.index, event.reason);
    const logprobs = topLogprobs === undefined ? null : format.logprobs(event.logprobs);
    return format.delta(event.index, event.text, logprobs);
  };
  return {
    of(event) {
      const { index } = event;
      const first = format.start !== undefined && !started.has(index) ? [chunk([format.start(index)], null)] : [];
      started.add(index);
      return [...first, chunk([said(event)], null)];
    },
    rest() {
      const session = exchange.session && { ...chunk([], null), session: exchange.session };
      const usage = includeUsage ? chunk([], usageBody(exchange.usage())) : undefined;
      return [session, usage].filter(each => each !== undefined);
    },
  };
}

/** The answer in one piece. */
export async function whole(
  format: Format,
  exchange: Exchange,
  job: Job,
  events: AsyncIterable<ChoiceEvent>,
): Promise<object> {
  const choices = Array.from({ length: job.prompts.length * job.n }, () => ({
    text: '',
    logprobs: [] as TextLogprob[],
    reason: 'stop' as FinishReason,
  }));
  for await (const event of events) {
    const choice = choices[event.index];
    if (!choice) throw new Error(`There is no choice ${event.index}`);
    if (event.kind === 'end') choice.reason = event.reason;
    else {
      choice.text += event.text;
      choice.logprobs.push(...event.logprobs);
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

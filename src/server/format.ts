import { isUtf8 } from 'node:buffer';
import type { FinishReason } from '../engine/request.ts';
import type { CallDelta } from '../llm/answer-reader.ts';
import type { TextLogprob } from '../llm/types.ts';
import type { ChoiceEvent, ChoicePiece } from './choice.ts';
import { errorBody } from './errors.ts';
import type { Exchange, Usage } from './exchange.ts';
import type { Job } from './job.ts';
import { type StreamWriter, sse } from './sse.ts';
import { type WholeChoice, wholeChoices } from './whole-choice.ts';
import { wholeLogprobs } from './whole-logprobs.ts';

/** What differs between the answers of Chat Completions and Completions: names, and the shapes of a choice. */
export interface Format {
  readonly idPrefix: string;
  readonly object: { readonly whole: string; readonly chunk: string };
  /** The choice's first chunk, before its text. */
  start?(index: number): object;
  delta(index: number, piece: ChoicePiece, logprobs: object | null): object;
  end(index: number, reason: EndReason): object;
  whole(index: number, choice: WholeChoice, logprobs: object | null): object;
  logprobs(logprobs: readonly TextLogprob[]): object;
}

/** `tool_calls`: the model ended its answer with calls. */
type EndReason = FinishReason | 'tool_calls';

/** What an answer's shape depends on. */
export type Asked = Pick<Job, 'name' | 'prompts' | 'n' | 'settings' | 'includeUsage'>;

/** A streamed answer's chunks, as its events come. */
export function chunkWriter(format: Format, exchange: Exchange, job: Asked): StreamWriter {
  const head = header(format.idPrefix, format.object.chunk, exchange, job);
  const { includeUsage } = job;
  const { topLogprobs } = job.settings;
  const chunk = (choices: object[], usage: object | null = null) => ({
    ...head,
    choices,
    ...(includeUsage ? { usage } : {}),
  });
  const started = new Set<number>();
  const calling = new Set<number>();
  const said = (event: ChoiceEvent): object => {
    const { index } = event;
    if (event.kind === 'end') return format.end(index, endReason(event.reason, calling.has(index)));
    if (event.calls) calling.add(index);
    return format.delta(index, event, topLogprobs === undefined ? null : format.logprobs(event.logprobs));
  };
  return {
    ...sse,
    of(event) {
      const { index } = event;
      if (event.kind === 'text' && 'event' in event)
        return sse.frame({ ...head, object: 'realm.event', index, event: event.event });
      const first = format.start !== undefined && !started.has(index) ? sse.frame(chunk([format.start(index)])) : '';
      started.add(index);
      return first + sse.frame(chunk([said(event)]));
    },
    end() {
      const session = exchange.session ? sse.frame({ ...chunk([]), session: exchange.session }) : '';
      const usage = includeUsage ? sse.frame(chunk([], usageBody(exchange.usage()))) : '';
      return session + usage + sse.frame('[DONE]');
    },
    failed: error => sse.frame(errorBody(error, exchange.id)),
  };
}

/** The answer in one piece. */
export async function whole(
  format: Format,
  exchange: Exchange,
  job: Asked,
  events: AsyncIterable<ChoiceEvent>,
): Promise<object> {
  const choices = await wholeChoices(events, job.prompts.length * job.n);
  const said: object[] = [];
  for (const [i, choice] of choices.entries()) {
    const wanted = job.settings.topLogprobs !== undefined;
    said.push(format.whole(i, choice, wanted ? await wholeLogprobs(choice.logprobs, format.logprobs) : null));
  }
  return {
    ...header(format.idPrefix, format.object.whole, exchange, job),
    choices: said,
    usage: usageBody(exchange.usage()),
    ...(exchange.session && { session: exchange.session }),
  };
}

function header(prefix: string, object: string, exchange: Exchange, job: Asked) {
  return {
    id: exchange.id.replace('req_', prefix),
    object,
    created: Math.floor(Date.now() / 1000),
    model: job.name,
  };
}

function usageBody({ promptTokens, cachedTokens, completionTokens, reasoningTokens = 0 }: Usage): object {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
    completion_tokens_details: { reasoning_tokens: reasoningTokens },
  };
}

const endReason = (reason: FinishReason, called: boolean): EndReason =>
  called && reason === 'stop' ? 'tool_calls' : reason;

export const chatFormat: Format = {
  idPrefix: 'chatcmpl-',
  object: { whole: 'chat.completion', chunk: 'chat.completion.chunk' },
  start: index => ({ index, delta: { role: 'assistant', content: '' }, logprobs: null, finish_reason: null }),
  delta: (index, piece, logprobs) => ({ index, delta: chatDelta(piece), logprobs, finish_reason: null }),
  end: (index, reason) => ({ index, delta: {}, logprobs: null, finish_reason: reason }),
  whole: (index, { content, reasoning, calls, reason }, logprobs) => ({
    index,
    message: {
      role: 'assistant',
      content: content === '' && calls.length > 0 ? null : content,
      ...(reasoning !== '' && { reasoning_content: reasoning }),
      refusal: null,
      ...(calls.length > 0 && {
        tool_calls: calls.map(({ id, ...call }) => ({ id, type: 'function', function: call })),
      }),
    },
    logprobs,
    finish_reason: endReason(reason, calls.length > 0),
  }),
  logprobs: list => ({ content: logprobEntries(list), refusal: null }),
};

/** Log-probabilities as chats have them. */
export function logprobEntries(list: readonly TextLogprob[]): object[] {
  const entry = ({ token, logprob, bytes }: Omit<TextLogprob, 'top' | 'offset'>) => ({ token, logprob, bytes });
  return list.map(token => ({ ...entry(token), top_logprobs: token.top.map(entry) }));
}

function chatDelta({ content, reasoning, calls }: ChoicePiece): object {
  if (calls) return { tool_calls: calls.map(callDelta) };
  return reasoning === undefined ? { content: content ?? '' } : { reasoning_content: reasoning };
}

function callDelta({ index, id, name, arguments: text }: CallDelta): object {
  if (id === undefined) return { index, function: { arguments: text } };
  return { index, id, type: 'function', function: { name, arguments: text } };
}

export const completionFormat: Format = {
  idPrefix: 'cmpl-',
  object: { whole: 'text_completion', chunk: 'text_completion' },
  delta: (index, { content = '' }, logprobs) => ({ index, text: content, logprobs, finish_reason: null }),
  end: (index, reason) => ({ index, text: '', logprobs: null, finish_reason: reason }),
  whole: (index, { content, reason }, logprobs) => ({ index, text: content, logprobs, finish_reason: reason }),
  logprobs: list => ({
    tokens: list.map(tokenName),
    token_logprobs: list.map(({ logprob }) => logprob),
    // Nothing comes before a prompt's first token; JSON writes NaN as null.
    top_logprobs: list.map(({ logprob, top }) => (Number.isNaN(logprob) ? null : byName(top))),
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

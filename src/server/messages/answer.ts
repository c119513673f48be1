import type { FinishReason } from '../../engine/request.ts';
import type { ChoiceEvent } from '../choice.ts';
import type { Exchange, Usage } from '../exchange.ts';
import type { Job } from '../job.ts';
import { type StreamWriter, sse } from '../sse.ts';
import { type ContentEvent, ContentEvents, contentOf } from './content-events.ts';
import { messagesError } from './errors.ts';

/** Answers of the Messages API. */

type EndEvent = Extract<ChoiceEvent, { kind: 'end' }>;

/** The answer in one piece: what a client makes of the events of a stream. */
export async function wholeMessage(exchange: Exchange, job: Job, events: AsyncIterable<ChoiceEvent>): Promise<object> {
  const blocks = new ContentEvents();
  const said: ContentEvent[] = [];
  let last: EndEvent | undefined;
  for await (const event of events) {
    if (event.kind === 'text') said.push(...blocks.add(event));
    else last = event;
  }
  return {
    ...head(exchange, job),
    content: contentOf(said),
    ...ending(last, blocks.called),
    usage: usageBody(exchange.usage()),
  };
}

/** The answer as events. */
export function messageWriter(exchange: Exchange, job: Job): StreamWriter {
  const blocks = new ContentEvents();
  let last: EndEvent | undefined;
  let begun = false;
  const begin = () => {
    if (begun) return '';
    begun = true;
    const usage = usageBody(exchange.usage());
    const message = { ...head(exchange, job), content: [], stop_reason: null, stop_sequence: null, usage };
    return frame({ type: 'message_start', message }) + frame({ type: 'ping' });
  };
  return {
    ...sse,
    // As Anthropic's streams have it: watchdogs of its clients count events, and may not count comments.
    sign: frame({ type: 'ping' }),
    of(event) {
      if (event.kind === 'text') return begin() + blocks.add(event).map(frame).join('');
      last = event;
      return begin();
    },
    end() {
      const delta = ending(last, blocks.called);
      const closing = { type: 'message_delta', delta, usage: usageBody(exchange.usage()) };
      return begin() + blocks.close().map(frame).join('') + frame(closing) + frame({ type: 'message_stop' });
    },
    failed: error => frame(messagesError(error, exchange.id)),
  };
}

const frame = (event: { readonly type: string; readonly [field: string]: unknown }): string =>
  sse.frame(event, event.type);

function head({ id }: Exchange, { name }: Job) {
  return { id: id.replace('req_', 'msg_'), type: 'message', role: 'assistant', model: name };
}

function ending(end: EndEvent | undefined, called: boolean) {
  const { reason = 'stop', stopString } = end ?? {};
  return { stop_reason: stopReason(reason, called, stopString), stop_sequence: stopString ?? null };
}

function stopReason(reason: FinishReason, called: boolean, stopString: string | undefined): string {
  if (reason === 'length') return 'max_tokens';
  if (stopString !== undefined) return 'stop_sequence';
  return called ? 'tool_use' : 'end_turn';
}

/** What came from the cache counts apart from the rest of the prompt. */
function usageBody({ promptTokens, cachedTokens, completionTokens, reasoningTokens = 0 }: Usage): object {
  return {
    input_tokens: promptTokens - cachedTokens,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: cachedTokens,
    output_tokens: completionTokens,
    output_tokens_details: { thinking_tokens: reasoningTokens },
  };
}

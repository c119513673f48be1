import type { EngineUsage, FinishReason } from '../../engine/request.ts';
import type { AnswerDelta, CallDelta } from '../answer-reader.ts';
import type { ChoiceEvent } from '../choice.ts';
import type { Exchange } from '../exchange.ts';
import type { Job } from '../job.ts';
import { type StreamWriter, sse } from '../sse.ts';
import { wholeChoices } from '../whole-choice.ts';
import { messagesError } from './errors.ts';

/** Answers of the Messages API. */

/** The answer in one piece. */
export async function wholeMessage(exchange: Exchange, job: Job, events: AsyncIterable<ChoiceEvent>): Promise<object> {
  const [choice] = await wholeChoices(events, 1);
  const { content, reasoning, calls, reason, stopString } = choice!;
  return {
    ...head(exchange, job),
    content: [
      ...(reasoning === '' ? [] : [{ type: 'thinking', thinking: reasoning, signature: '' }]),
      ...(content === '' ? [] : [{ type: 'text', text: content }]),
      ...calls.map(({ id, name, arguments: json }) => ({ type: 'tool_use', id, name, input: parsed(json) })),
    ],
    ...ending(reason, calls.length > 0, stopString),
    usage: usageBody(exchange.usage()),
  };
}

/** Arguments of an answer that was cut off are no JSON. */
function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return {};
  }
}

/** The answer as the events of its content blocks: of one after the other. */
export function messageWriter(exchange: Exchange, job: Job): StreamWriter {
  const blocks = new BlockWriter();
  let last: Extract<ChoiceEvent, { kind: 'end' }> | undefined;
  let begun = false;
  const begin = () => {
    if (begun) return '';
    begun = true;
    const message = {
      ...head(exchange, job),
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: usageBody(exchange.usage()),
    };
    return frame({ type: 'message_start', message }) + frame({ type: 'ping' });
  };
  return {
    ...sse,
    of(event) {
      const start = begin();
      if (event.kind === 'text') return start + blocks.add(event);
      last = event;
      return start;
    },
    end() {
      const delta = ending(last?.reason ?? 'stop', blocks.called, last?.stopString);
      const closing = blocks.close() + frame({ type: 'message_delta', delta, usage: usageBody(exchange.usage()) });
      return begin() + closing + frame({ type: 'message_stop' });
    },
    failed: error => frame(messagesError(error, exchange.id)),
  };
}

class BlockWriter {
  called = false;
  /** Number of the next block. */
  #next = 0;
  /** What the open block is: thoughts, text, or the call of this number. */
  #open: 'thinking' | 'text' | number | undefined;

  add({ content, reasoning, calls = [] }: AnswerDelta): string {
    let frames = '';
    if (reasoning) {
      frames += this.#enter('thinking', { type: 'thinking', thinking: '', signature: '' });
      frames += this.#delta({ type: 'thinking_delta', thinking: reasoning });
    }
    if (content) {
      frames += this.#enter('text', { type: 'text', text: '' });
      frames += this.#delta({ type: 'text_delta', text: content });
    }
    return frames + calls.map(call => this.#call(call)).join('');
  }

  close(): string {
    if (this.#open === undefined) return '';
    this.#open = undefined;
    return frame({ type: 'content_block_stop', index: this.#next - 1 });
  }

  #call({ index, id, name, arguments: json }: CallDelta): string {
    this.called = true;
    const start = this.#enter(index, { type: 'tool_use', id, name, input: {} });
    return json === '' ? start : start + this.#delta({ type: 'input_json_delta', partial_json: json });
  }

  #enter(kind: 'thinking' | 'text' | number, content_block: object): string {
    if (this.#open === kind) return '';
    const closing = this.close();
    this.#open = kind;
    return closing + frame({ type: 'content_block_start', index: this.#next++, content_block });
  }

  #delta(delta: object): string {
    return frame({ type: 'content_block_delta', index: this.#next - 1, delta });
  }
}

const frame = (event: { readonly type: string; readonly [field: string]: unknown }): string =>
  sse.frame(event, event.type);

function head({ id }: Exchange, { name }: Job) {
  return { id: id.replace('req_', 'msg_'), type: 'message', role: 'assistant', model: name };
}

function ending(reason: FinishReason, called: boolean, stopString: string | undefined) {
  return { stop_reason: stopReason(reason, called, stopString), stop_sequence: stopString ?? null };
}

function stopReason(reason: FinishReason, called: boolean, stopString: string | undefined): string {
  if (reason === 'length') return 'max_tokens';
  if (stopString !== undefined) return 'stop_sequence';
  return called ? 'tool_use' : 'end_turn';
}

/** What came from the cache counts apart from the rest of the prompt. */
function usageBody({ promptTokens, cachedTokens, completionTokens }: EngineUsage): object {
  return {
    input_tokens: promptTokens - cachedTokens,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: cachedTokens,
    output_tokens: completionTokens,
  };
}

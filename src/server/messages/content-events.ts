import type { AnswerDelta, CallDelta } from '../../llm/answer-reader.ts';

/** What happens to the content of a message: blocks, one after the other, each with what is added to it. */
export type ContentEvent =
  | { readonly type: 'content_block_start'; readonly index: number; readonly content_block: ContentBlock }
  | { readonly type: 'content_block_delta'; readonly index: number; readonly delta: ContentDelta }
  | { readonly type: 'content_block_stop'; readonly index: number };

export type ContentBlock =
  | { readonly type: 'thinking'; readonly thinking: string; readonly signature: string }
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'tool_use'; readonly id: string; readonly name: string; readonly input: unknown };

type ContentDelta =
  | { readonly type: 'thinking_delta'; readonly thinking: string }
  | { readonly type: 'text_delta'; readonly text: string }
  | { readonly type: 'input_json_delta'; readonly partial_json: string };

/** Makes events of an answer's pieces as they come. */
export class ContentEvents {
  /** A tool was called. */
  called = false;
  /** Number of the next block. */
  #next = 0;
  /** What the open block is: thoughts, text, or the call of this number. */
  #open: 'thinking' | 'text' | number | undefined;

  add({ content, reasoning, calls = [] }: AnswerDelta): ContentEvent[] {
    const events: ContentEvent[] = [];
    if (reasoning) {
      events.push(...this.#enter('thinking', { type: 'thinking', thinking: '', signature: '' }));
      events.push(this.#delta({ type: 'thinking_delta', thinking: reasoning }));
    }
    if (content) {
      events.push(...this.#enter('text', { type: 'text', text: '' }));
      events.push(this.#delta({ type: 'text_delta', text: content }));
    }
    for (const call of calls) events.push(...this.#call(call));
    return events;
  }

  /** Ends the block that is open. */
  close(): ContentEvent[] {
    if (this.#open === undefined) return [];
    this.#open = undefined;
    return [{ type: 'content_block_stop', index: this.#next - 1 }];
  }

  #call({ index, id = '', name = '', arguments: json }: CallDelta): ContentEvent[] {
    this.called = true;
    const start = this.#enter(index, { type: 'tool_use', id, name, input: {} });
    return json === '' ? start : [...start, this.#delta({ type: 'input_json_delta', partial_json: json })];
  }

  #enter(kind: 'thinking' | 'text' | number, content_block: ContentBlock): ContentEvent[] {
    if (this.#open === kind) return [];
    const closing = this.close();
    this.#open = kind;
    return [...closing, { type: 'content_block_start', index: this.#next++, content_block }];
  }

  #delta(delta: ContentDelta): ContentEvent {
    return { type: 'content_block_delta', index: this.#next - 1, delta };
  }
}

/** The blocks that the events make, as clients put them together. */
export function contentOf(events: readonly ContentEvent[]): ContentBlock[] {
  const blocks: ContentBlock[] = [];
  const json: string[] = [];
  for (const event of events) {
    const { index } = event;
    if (event.type === 'content_block_start') blocks[index] = event.content_block;
    else if (event.type === 'content_block_delta') {
      const { delta } = event;
      if (delta.type === 'input_json_delta') json[index] = (json[index] ?? '') + delta.partial_json;
      else blocks[index] = extended(blocks[index]!, delta);
    }
  }
  return blocks.map((block, i) => (block.type === 'tool_use' ? { ...block, input: parsed(json[i] ?? '{}') } : block));
}

function extended(block: ContentBlock, delta: ContentDelta): ContentBlock {
  if (block.type === 'text' && delta.type === 'text_delta') return { ...block, text: block.text + delta.text };
  if (block.type === 'thinking' && delta.type === 'thinking_delta')
    return { ...block, thinking: block.thinking + delta.thinking };
  return block;
}

/** Arguments of an answer that was cut off are no JSON. */
function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return {};
  }
}

import { RealmError } from '../../errors.ts';
import { type Item, type ItemReference, type ReasoningItem, textOf } from './items.ts';
import { unseal } from './sealed.ts';

/** A message as Chat Completions has it. */
export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant' | 'tool';
  content: string | null;
  reasoning_content?: string;
  tool_calls?: ToolCall[];
  readonly tool_call_id?: string;
}

interface ToolCall {
  readonly id: string;
  readonly type: 'function';
  readonly function: { readonly name: string; readonly arguments: string };
}

/** Puts stored items in the place of references to them. `stored`: by their ids. */
export function resolveItems(items: readonly (Item | ItemReference)[], stored: ReadonlyMap<string, Item>): Item[] {
  return items.map((item, i) => {
    if (item.type !== 'item_reference') return item;
    const found = stored.get(item.id);
    if (found !== undefined) return found;
    const message = `input[${i}].id: there is no stored item of that id; send the item itself`;
    throw new RealmError('response_not_found', message, { param: `input[${i}].id` });
  });
}

/** Throws where an output answers no call before it. `history`: of so many items. */
export function checkOutputs(items: readonly Item[], history: number): void {
  const called = new Set<string>();
  for (const [i, item] of items.entries()) {
    if (item.type === 'function_call') called.add(item.call_id);
    if (item.type !== 'function_call_output' || called.has(item.call_id)) continue;
    const param = `input[${i - history}].call_id`;
    throw new RealmError('invalid_request', `${param}: no function call before it has this call_id`, { param });
  }
}

/**
 * The messages that say what the items say. Instructions and what is the system's at the beginning are one message:
 * many templates want one, and first. Thoughts and calls belong to the assistant's message that they stand beside.
 */
export function toMessages(instructions: string | undefined, items: readonly Item[]): ChatMessage[] {
  const messages: ChatMessage[] = [];
  if (instructions) messages.push({ role: 'system', content: instructions });
  let thoughts = '';
  for (const item of items) {
    if (item.type === 'reasoning') thoughts += thoughtsOf(item);
    else {
      add(messages, item, thoughts);
      thoughts = '';
    }
  }
  return messages;
}

function add(messages: ChatMessage[], item: Exclude<Item, ReasoningItem>, thoughts: string): void {
  const thinking = thoughts === '' ? {} : { reasoning_content: thoughts };
  const last = messages.at(-1);
  switch (item.type) {
    case 'message': {
      const content = textOf(item.content);
      if (item.role === 'assistant') messages.push({ role: 'assistant', content, ...thinking });
      else if (item.role === 'user') messages.push({ role: 'user', content });
      else addSystem(messages, content);
      return;
    }
    case 'compaction':
      return addSystem(messages, summaryIntroduction + unseal(item.encrypted_content));
    case 'function_call_output':
      messages.push({ role: 'tool', tool_call_id: item.call_id, content: item.output });
      return;
    case 'function_call': {
      const { call_id, name } = item;
      const call: ToolCall = { id: call_id, type: 'function', function: { name, arguments: item.arguments } };
      if (last?.role !== 'assistant' || thoughts !== '')
        messages.push({ role: 'assistant', content: null, ...thinking, tool_calls: [call] });
      else last.tool_calls = [...(last.tool_calls ?? []), call];
      return;
    }
    default:
      item satisfies never;
  }
}

function addSystem(messages: ChatMessage[], content: string): void {
  const last = messages.at(-1);
  if (messages.length === 1 && last?.role === 'system') last.content += `\n\n${content}`;
  else messages.push({ role: 'system', content });
}

const summaryIntroduction = 'What was said before this, in short:\n';

function thoughtsOf({ content, summary, encrypted_content }: ReasoningItem): string {
  if (content !== undefined && content.length > 0) return textOf(content);
  return (encrypted_content === undefined ? undefined : unseal(encrypted_content)) ?? textOf(summary);
}

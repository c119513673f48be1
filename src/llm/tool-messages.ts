import { injected, toolResponse } from '../output-format/tool-prompt.ts';
import type { ToolCall, ToolFormat } from '../output-format/types.ts';
import { writeCalls } from '../output-format/write-calls.ts';
import type { ChatMessage } from '../tokenizer/types.ts';

/** Calls of tools and what came of them, as a model's template takes them. Nothing in a history is judged. */

/** Messages whose calls are as the format wants them: with JSON text as clients send them, with objects, or in the content. */
export function withCalls(format: ToolFormat | undefined, messages: readonly ChatMessage[]): readonly ChatMessage[] {
  if (!format || format.history === 'text') return messages;
  const change = format.history === 'object' ? withObjects : withText(format);
  return messages.map(message => (Array.isArray(message.tool_calls) ? change(message, message.tool_calls) : message));
}

function withObjects(message: ChatMessage, calls: readonly unknown[]): ChatMessage {
  return { ...message, tool_calls: calls.map(withObject) };
}

/** What is no JSON object stays what it is. */
function withObject(call: unknown): unknown {
  if (!isObject(call) || !isObject(call.function) || typeof call.function.arguments !== 'string') return call;
  const text = call.function.arguments;
  const given = text.trim() === '' ? {} : attempt(() => JSON.parse(text) as unknown);
  return isObject(given) ? { ...call, function: { ...call.function, arguments: given } } : call;
}

const withText =
  (format: ToolFormat) =>
  ({ tool_calls: _, ...message }: ChatMessage, calls: readonly unknown[]): ChatMessage => {
    const written = writeCalls(format, calls.flatMap(toCall));
    return { ...message, content: message.content === '' ? written : `${message.content}\n${written}` } as ChatMessage;
  };

function toCall(call: unknown): ToolCall[] {
  if (!isObject(call) || !isObject(call.function) || typeof call.function.name !== 'string') return [];
  const { id, function: its } = call;
  const given = withObject(call) as { function: { arguments: unknown } };
  const text = isObject(given.function.arguments) ? JSON.stringify(given.function.arguments) : '{}';
  return [{ ...(typeof id === 'string' && { id }), name: String(its.name), arguments: text }];
}

/** The messages for a model whose template knows no tools: it is told of them in the system prompt, and of their results by the user. */
export function withToolPrompt(
  name: string,
  messages: readonly ChatMessage[],
  tools: readonly unknown[] | undefined,
): readonly ChatMessage[] {
  const told = messages.map(message =>
    message.role === 'tool' ? { role: 'user', content: toolResponse(message.content) } : message,
  );
  const prompt = tools && injected[name]?.prompt(tools);
  if (prompt === undefined) return told;
  const [first, ...rest] = told;
  if (first?.role !== 'system') return [{ role: 'system', content: prompt }, ...told];
  return [{ ...first, content: `${first.content}\n\n${prompt}` }, ...rest];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

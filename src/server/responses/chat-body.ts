import { RealmError } from '../../errors.ts';
import type { ChatMessage } from './conversation.ts';
import { type FunctionTool, isFunction, passedOn, type ResponsesRequest, type ToolChoice } from './request.ts';

/** The request as the body of a chat completion: what the chat's schema reads, field by field. */
export function toChatBody(request: ResponsesRequest, messages: readonly ChatMessage[]): Record<string, unknown> {
  const { include = [], top_logprobs, text, reasoning, tool_choice } = request;
  const logprobs = include.includes('message.output_text.logprobs') || !!top_logprobs;
  const { tools = [] } = request;
  return {
    ...Object.fromEntries(passedOn.map(name => [name, request[name]])),
    messages,
    max_completion_tokens: request.max_output_tokens,
    reasoning_effort: reasoning?.effort,
    verbosity: text?.verbosity,
    truncation: request.truncation,
    response_format: toResponseFormat(text?.format),
    ...(tools.length > 0 && { tools: tools.map(toChatTool), tool_choice: toChatChoice(tool_choice) }),
    ...(tools.length === 0 && { parallel_tool_calls: undefined }),
    ...(logprobs && { logprobs: true, top_logprobs }),
  };
}

function toResponseFormat(format: NonNullable<ResponsesRequest['text']>['format']): object | undefined {
  if (format === undefined || format.type === 'text') return undefined;
  if (format.type === 'json_object') return { type: 'json_object' };
  const { name = 'answer', description, schema, strict } = format;
  return { type: 'json_schema', json_schema: { name, description, schema, strict } };
}

const toChatTool = ({ name, description, parameters, strict }: FunctionTool): object => ({
  type: 'function',
  function: { name, description, parameters, strict },
});

const toChatFunction = ({ name }: { name?: string | undefined }) => ({ type: 'function', function: { name } });

function toChatChoice(choice: ToolChoice | undefined): unknown {
  if (typeof choice !== 'object') return choice;
  if (choice.type === 'function') return toChatFunction(choice);
  const { mode, tools } = choice;
  if (mode === 'none') return mode;
  return { type: 'allowed_tools', allowed_tools: { mode, tools: tools.filter(isFunction).map(toChatFunction) } };
}

/** Beginnings of the chat's names for fields, and what they are called here. */
const names: readonly (readonly [chat: RegExp, here: string])[] = [
  // Items are fewer or more than the messages that are made of them.
  [/^messages\b[^:]*/, 'input'],
  [/^(?:max_completion_tokens|max_tokens)\b/, 'max_output_tokens'],
  [/^verbosity\b/, 'text.verbosity'],
  [/^reasoning_effort\b/, 'reasoning.effort'],
  [/^response_format\.json_schema\.schema\b/, 'text.format.schema'],
  [/^response_format\.json_schema\b/, 'text.format'],
  [/^response_format\b/, 'text.format'],
  [/^(tools\[\d+\])\.function\b/, '$1'],
  [/^tool_choice\.function\b/, 'tool_choice'],
  [/^tool_choice\.allowed_tools\.tools\[(\d+)\]\.function\b/, 'tool_choice.tools[$1]'],
];

/** A refusal in the chat's words, in the words of whoever asked through this API. */
export function inWordsOfResponses(error: unknown): unknown {
  if (!(error instanceof RealmError) || error.param === undefined) return error;
  const { code, message, param, retryAfter, headers, cause } = error;
  const rename = (text: string) => {
    const found = names.find(([chat]) => chat.test(text));
    return found === undefined ? text : text.replace(found[0], found[1]);
  };
  if (rename(param) === param) return error;
  return new RealmError(code, rename(message), { param: rename(param), retryAfter, headers, cause });
}

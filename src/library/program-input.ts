import { RealmError } from '../errors.ts';
import { toolUse } from '../llm/program/declared-tools.ts';
import { chatDocument } from '../llm/prompt.ts';
import type { ToolUse } from '../output-format/constraint-source.ts';
import type { RunKind } from '../sandbox/types.ts';
import { messagesOf, textOf, wrong } from './input.ts';
import type { ProgramInput } from './program-options.ts';

/** An input as the sandbox takes it. */
export interface ReadInput {
  readonly kind: RunKind;
  readonly prompt: string;
  /** That the answer may call. */
  readonly tools: ToolUse | undefined;
}

/** Throws `invalid_request` for what is none. */
export function readInput(input: ProgramInput): ReadInput {
  if (typeof input === 'string') return chatOf({ messages: [{ role: 'user', content: input }] });
  if (typeof input === 'object' && input !== null) {
    if ('messages' in input) return chatOf(input);
    if ('prompt' in input) return { kind: 'completion', prompt: textOf(input.prompt, 'prompt'), tools: undefined };
    if ('input' in input) return { kind: 'call', prompt: jsonOf(input.input), tools: undefined };
  }
  throw wrong('input', 'must be a text, or an object with messages, prompt or input');
}

function chatOf({ messages, tools }: Extract<ProgramInput, { messages: unknown }>): ReadInput {
  const chat = { messages: messagesOf(messages), ...(tools && tools.length > 0 && { tools: [...tools] }) };
  const use = toolUse(
    tools,
    'auto',
    problem => new RealmError('invalid_request', `tools: ${problem}`, { param: 'tools' }),
  );
  return { kind: 'chat', prompt: chatDocument(chat), tools: use };
}

function jsonOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? 'null';
  } catch (error) {
    throw wrong('input', `is no JSON: ${(error as Error).message}`);
  }
}

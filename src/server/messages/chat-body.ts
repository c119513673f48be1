import type { AssistantBlock, Message, TextBlock, UserBlock } from './blocks.ts';
import type { MessagesRequest } from './fields.ts';

/** The request as the body of a chat completion: what the chat's schema reads, field by field. */
export function toChatBody(request: MessagesRequest): Record<string, unknown> {
  const { model, program, stream, max_tokens, temperature, top_p, top_k, tools = [], tool_choice: choice } = request;
  const { output_config: output, output_format = output?.format } = request;
  const parallel = choice !== undefined && choice.type !== 'none' && choice.disable_parallel_tool_use !== true;
  return {
    ...{ model, program, stream, max_tokens, temperature, top_p, top_k },
    stop: request.stop_sequences,
    messages: toMessages(request),
    continue_final_message: isBegun(request.messages) ? true : undefined,
    ...(tools.length > 0 && {
      tools: tools.map(toChatTool),
      tool_choice: toChatChoice(choice),
      parallel_tool_calls: choice === undefined || parallel,
    }),
    ...(output_format && {
      response_format: { type: 'json_schema', json_schema: { name: 'answer', schema: output_format.schema } },
    }),
    reasoning_effort: toEffort(output?.effort),
    chat_template_kwargs: toKwargs(request.thinking),
  };
}

/** Without a word about it, Anthropic's models do not think. */
function toKwargs(thinking: MessagesRequest['thinking']): object {
  const thinks = thinking !== undefined && thinking.type !== 'disabled';
  return { enable_thinking: thinks, thinking: thinks };
}

/** Templates know three. */
function toEffort(effort: NonNullable<MessagesRequest['output_config']>['effort']): string | undefined {
  return effort === 'xhigh' || effort === 'max' ? 'high' : effort;
}

function toChatTool({ name, description, input_schema }: NonNullable<MessagesRequest['tools']>[number]): object {
  return { type: 'function', function: { name, description, parameters: input_schema } };
}

function toChatChoice(choice: MessagesRequest['tool_choice']): unknown {
  if (choice === undefined) return undefined;
  switch (choice.type) {
    case 'tool':
      return { type: 'function', function: { name: choice.name } };
    case 'any':
      return 'required';
    default:
      return choice.type;
  }
}

/** The answer has been begun by whoever asks, and is to be gone on with. */
function isBegun(messages: readonly Message[]): boolean {
  const last = messages.at(-1)!;
  return last.role === 'assistant' && last.content.every(block => block.type !== 'tool_use');
}

function toMessages({ system = [], messages }: MessagesRequest): object[] {
  const text = textOf(system.filter(isStable), '\n\n');
  return [...(text === '' ? [] : [{ role: 'system', content: text }]), ...messages.flatMap(toChatMessages)];
}

/** Claude Code's first block says which request it is: with it, no two prompts would begin alike. */
const isStable = ({ text }: TextBlock) => !text.startsWith('x-anthropic-billing-header');

function toChatMessages(message: Message): object[] {
  switch (message.role) {
    case 'system':
      return [{ role: 'system', content: textOf(message.content.filter(isStable), '\n\n') }];
    case 'user':
      return fromUser(message.content);
    case 'assistant':
      return [fromAssistant(message.content)];
    default:
      return message satisfies never;
  }
}

/** Results of tools are messages of their own; texts beside each other are one. */
function fromUser(blocks: readonly UserBlock[]): object[] {
  const messages: object[] = [];
  let texts: TextBlock[] = [];
  const flush = () => {
    if (texts.length > 0) messages.push({ role: 'user', content: textOf(texts, '\n') });
    texts = [];
  };
  for (const block of blocks) {
    if (block.type === 'text') texts.push(block);
    else {
      flush();
      messages.push({ role: 'tool', tool_call_id: block.tool_use_id, content: resultOf(block) });
    }
  }
  flush();
  return messages.length > 0 ? messages : [{ role: 'user', content: '' }];
}

/** Templates know results alone: that one is an error has to stand in its text. */
function resultOf({ content = [], is_error }: Exclude<UserBlock, TextBlock>): string {
  const text = textOf(content, '\n');
  return is_error && !/^\W*error/i.test(text) ? `Error: ${text}` : text;
}

function fromAssistant(blocks: readonly AssistantBlock[]): object {
  const reasoning = blocks.flatMap(block => (block.type === 'thinking' ? [block.thinking] : [])).join('');
  const calls = blocks.flatMap(block => (block.type === 'tool_use' ? [block] : []));
  const texts = blocks.flatMap(block => (block.type === 'text' ? [block] : []));
  return {
    role: 'assistant',
    content: textOf(texts, ''),
    ...(reasoning !== '' && { reasoning_content: reasoning }),
    ...(calls.length > 0 && {
      tool_calls: calls.map(({ id, name, input }) => {
        return { id, type: 'function', function: { name, arguments: JSON.stringify(input) } };
      }),
    }),
  };
}

const textOf = (blocks: readonly TextBlock[], between: string): string => blocks.map(({ text }) => text).join(between);

import { platform } from '#platform';
import { checkLength } from '../engine/admission.ts';
import { RealmError } from '../errors.ts';
import { beginsInReasoning } from '../output-format/reasoning.ts';
import { injected } from '../output-format/tool-prompt.ts';
import { chatPrompt, promptTokens, promptTokensInSteps } from '../tokenizer/chat-prompt.ts';
import type { Steps } from '../tokenizer/steps.ts';
import type { ChatMessage, ChatOptions, Prompt, PromptOptions, Token, Tokenizer } from '../tokenizer/types.ts';
import type { ModelText } from './model-text.ts';
import { withToolFormat } from './output-format.ts';
import { withCalls, withToolPrompt } from './tool-messages.ts';

/** What is said to a model, and how its template is to write it. */
export interface Chat extends ChatOptions {
  readonly messages: readonly ChatMessage[];
  /** How much the model is to think: for templates that read it, or `enable_thinking` or `thinking`. */
  readonly reasoningEffort?: string | undefined;
  /** The format of calls that the model is told, instead of its own. */
  readonly toolFormat?: string | undefined;
}

/** What a chat request hands to the tenant's program. */
export function chatDocument(chat: Chat): string {
  return JSON.stringify({
    messages: chat.messages,
    tools: chat.tools,
    tool_format: chat.toolFormat,
    reasoning_effort: chat.reasoningEffort,
    add_generation_prompt: chat.addGenerationPrompt,
    continue_final_message: chat.continueFinalMessage,
    chat_template_kwargs: chat.variables,
  });
}

/** The chat of a program's prompt; whatever is no chat document is one user message. */
export function parseChatDocument(prompt: string): Chat {
  const document = parse(prompt);
  const { messages, chat_template_kwargs: variables, ...flags } = isObject(document) ? document : {};
  if (!Array.isArray(messages) || messages.length === 0 || !messages.every(isMessage))
    return { messages: [{ role: 'user', content: prompt }] };
  const { tools, tool_format: toolFormat, reasoning_effort: reasoningEffort } = flags;
  return {
    messages,
    tools: Array.isArray(tools) && tools.length > 0 ? tools : undefined,
    toolFormat: typeof toolFormat === 'string' && Object.hasOwn(injected, toolFormat) ? toolFormat : undefined,
    reasoningEffort: typeof reasoningEffort === 'string' ? reasoningEffort : undefined,
    addGenerationPrompt: boolean(flags.add_generation_prompt),
    continueFinalMessage: boolean(flags.continue_final_message),
    variables: isObject(variables) ? variables : undefined,
  };
}

/** The text of a chat for the model; the model's own system prompt goes first when the chat has none. */
export function renderChat(model: ModelText, chat: Chat, options: PromptOptions = {}): Prompt {
  const { template, tokenizer, format } = model;
  const { toolFormat = model.toolFormat } = chat;
  const messages = withCalls(withToolFormat(format, chat.toolFormat).tools, withSystem(model, chat));
  const variables = variablesOf(chat);
  if (toolFormat === undefined) return chatPrompt(template, tokenizer, messages, { ...chat, variables, ...options });
  const told = withToolPrompt(toolFormat, messages, chat.tools);
  return chatPrompt(template, tokenizer, told, { ...chat, tools: undefined, variables, ...options });
}

/** The tokens of {@link renderChat}'s text. */
export function encodeChat(model: ModelText, chat: Chat, options: PromptOptions = {}): Token[] {
  return promptTokens(model.tokenizer, renderChat(model, chat, options));
}

export interface EncodeOptions {
  /** The model's, in tokens. */
  readonly context: number;
  /** Read control tokens in messages as if the template had written them. */
  readonly parseSpecial?: boolean | undefined;
}

export interface EncodedPrompt {
  readonly tokens: Token[];
  /** The template has begun the model's thoughts. */
  readonly inReasoning: boolean;
}

/** The tokens of a chat, or of a plain text. Throws `context_length_exceeded` for what cannot fit, before it is tokenised. */
export function* encodePrompt(
  model: ModelText,
  prompt: Chat | string,
  { context, parseSpecial }: EncodeOptions,
): Steps<EncodedPrompt> {
  const { tokenizer, format } = model;
  // A plain prompt is in the place of a template: whoever writes it writes its special tokens too.
  const plain = typeof prompt === 'string';
  const param = plain ? 'prompt' : 'messages';
  const rendered = plain ? { text: prompt, values: [] } : renderChat(model, prompt, { parseSpecial });
  yield;
  refuseLongText(tokenizer, rendered.text, context, param);
  const tokens = plain ? yield* tokenizer.encodeInSteps(prompt) : yield* promptTokensInSteps(tokenizer, rendered);
  // An empty text begins as every text does, also where texts need not.
  if (tokens.length === 0 && tokenizer.bos !== undefined) tokens.push(tokenizer.bos);
  checkLength(tokens.length, context, { param });
  return { tokens, inReasoning: !plain && !!format.reasoning && beginsInReasoning(format.reasoning, rendered.text) };
}

/** Refuses a text that cannot fit, whatever its tokens are: before it costs anything to find them. */
export function refuseLongText(tokenizer: Tokenizer, text: string, context: number, param: string): void {
  // Asked first: the longest token is only known once all have been looked at.
  if (text.length < context) return;
  const { maxTokenBytes } = tokenizer;
  if (maxTokenBytes === undefined) return;
  const bytes = platform.utf8Length(text);
  const least = Math.ceil(bytes / maxTokenBytes);
  if (least <= context) return;
  const message = `${param}: has ${bytes} bytes, which are at least ${least} tokens, and the model's context is ${context}; shorten it`;
  throw new RealmError('context_length_exceeded', message, { param });
}

function withSystem({ defaults: { system } }: ModelText, { messages }: Chat): readonly ChatMessage[] {
  return system === undefined || messages.some(message => message.role === 'system')
    ? messages
    : [{ role: 'system', content: system }, ...messages];
}

/** What the names of templates' variables make of the effort; a template that reads none is not changed by any. */
function variablesOf({ reasoningEffort, variables }: Chat): Chat['variables'] {
  if (reasoningEffort === undefined) return variables;
  const thinks = reasoningEffort !== 'none';
  return { reasoning_effort: reasoningEffort, enable_thinking: thinks, thinking: thinks, ...variables };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isMessage(value: unknown): value is ChatMessage {
  const message = value as ChatMessage | null;
  return typeof message?.role === 'string' && typeof message.content === 'string';
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function boolean(value: unknown): boolean | undefined {
  return typeof value === 'boolean' ? value : undefined;
}

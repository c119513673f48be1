import { RealmError } from '../errors.ts';
import { finish, type Steps } from '../tokenizer/steps.ts';
import type { ChatMessage, Token, Tokenizer } from '../tokenizer/types.ts';
import type { LoadedModel } from './services.ts';
import type { ModelText } from './text/model-text.ts';

/** What a chat request hands to the tenant's program. */
export function chatDocument(messages: readonly ChatMessage[]): string {
  return JSON.stringify({ messages });
}

/** The messages of a program's prompt; whatever is no chat document is one user message. */
export function parseChatDocument(prompt: string): ChatMessage[] {
  const document = parse(prompt) as { messages?: unknown } | undefined;
  const messages = document?.messages;
  return Array.isArray(messages) && messages.length > 0 && messages.every(isMessage)
    ? messages
    : [{ role: 'user', content: prompt }];
}

/** The text of a chat for the model; the model's own system prompt goes first when the chat has none. */
export function renderChat(model: Omit<ModelText, 'tokenizer'>, messages: readonly ChatMessage[]): string {
  const { system } = model.defaults;
  const whole =
    system === undefined || messages.some(message => message.role === 'system')
      ? messages
      : [{ role: 'system', content: system }, ...messages];
  return model.template.render(whole, { addGenerationPrompt: true });
}

/** The tokens of a rendered chat, which may begin with the beginning-of-text token already. */
export function encodeChat(model: Pick<ModelText, 'tokenizer'>, text: string): Token[] {
  return finish(encodeChatInSteps(model, text));
}

export function encodeChatInSteps({ tokenizer }: Pick<ModelText, 'tokenizer'>, text: string): Steps<Token[]> {
  const { bos } = tokenizer;
  const begins = bos !== undefined && text.startsWith(tokenizer.text(bos));
  return tokenizer.encodeInSteps(text, { addSpecial: !begins, parseSpecial: true });
}

/** Refuses a text that cannot fit, whatever its tokens are: before it costs anything to find them. */
export function refuseLongText({ maxTokenBytes }: Tokenizer, text: string, context: number, param: string): void {
  if (maxTokenBytes === undefined || text.length < context) return;
  const bytes = Buffer.byteLength(text);
  const least = Math.ceil(bytes / maxTokenBytes);
  if (least <= context) return;
  const message = `The prompt has ${bytes} bytes, which are at least ${least} tokens, and the model's context is ${context}; shorten the ${param}`;
  throw new RealmError('context_length_exceeded', message, { param });
}

/** How many tokens may be generated: what was asked for, within what the context leaves; what can never be is refused. */
export function tokenBudget(
  model: LoadedModel,
  promptTokens: number,
  asked: number | undefined,
  param: string,
): number {
  const { context } = model.engine.info;
  if (promptTokens >= context) {
    const message = `The prompt has ${promptTokens} tokens and the model's context is ${context}, answer included; shorten the ${param}`;
    throw new RealmError('context_length_exceeded', message, { param });
  }
  if (asked !== undefined && asked > context) {
    const message = `An answer of ${asked} tokens was asked for and the model's context is ${context}, prompt included; ask for less`;
    throw new RealmError('context_length_exceeded', message, { param: 'max_tokens' });
  }
  return Math.min(asked ?? Number.POSITIVE_INFINITY, context - promptTokens);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) ?? undefined;
  } catch {
    return undefined;
  }
}

function isMessage(value: unknown): value is ChatMessage {
  const message = value as ChatMessage | null;
  return typeof message?.role === 'string' && typeof message.content === 'string';
}

import { RealmError } from '../errors.ts';
import type { ChatMessage, Token } from '../tokenizer/types.ts';
import type { LoadedModel } from './services.ts';

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
export function renderChat(model: LoadedModel, messages: readonly ChatMessage[]): string {
  const { system } = model.defaults;
  const whole =
    system === undefined || messages.some(message => message.role === 'system')
      ? messages
      : [{ role: 'system', content: system }, ...messages];
  return model.template.render(whole, { addGenerationPrompt: true });
}

/** The tokens of a rendered chat, which may begin with the beginning-of-text token already. */
export function encodeChat({ tokenizer }: Pick<LoadedModel, 'tokenizer'>, text: string): Token[] {
  const { bos } = tokenizer;
  const begins = bos !== undefined && text.startsWith(tokenizer.text(bos));
  return tokenizer.encode(text, { addSpecial: !begins, parseSpecial: true });
}

/** How many tokens may be generated: what was asked for, within what the context leaves. A prompt that leaves nothing is refused. */
export function tokenBudget(
  model: LoadedModel,
  promptTokens: number,
  asked: number | undefined,
  param: string,
): number {
  const { context } = model.engine.info;
  if (promptTokens === 0) {
    const message = `${param}: has no tokens: the model needs one at least`;
    throw new RealmError('invalid_request', message, { param });
  }
  if (promptTokens >= context) {
    const message = `The prompt has ${promptTokens} tokens and the model's context is ${context}, answer included; shorten the ${param}`;
    throw new RealmError('context_length_exceeded', message, { param });
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

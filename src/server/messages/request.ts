import { z } from 'zod';
import type { Translated } from '../translated.ts';
import { messageSchema } from './blocks.ts';
import { toChatBody } from './chat-body.ts';
import { messagesFields } from './fields.ts';

/** `POST /v1/messages`: https://platform.claude.com/docs/en/api/messages/create. Numbers are judged by the form of chats. */
export function messagesSchema(limits: { messages: number }) {
  const messages = z.array(z.unknown()).min(1).max(limits.messages).pipe(z.array(messageSchema));
  return z
    .object({ ...messagesFields, messages })
    .transform((request): Translated => ({ form: 'chat', body: toChatBody(request) }));
}

/** Clients send null for what they leave out. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { z } from 'zod';
import { chatSchema } from '../../src/server/chat-request.ts';
import { completionSchema } from '../../src/server/completion-request.ts';
import { fieldsAt } from '../support/schema-fields.ts';

test('a null stands for every field that may be left out', () => {
  const nulls = (schema: z.ZodType) => Object.fromEntries([...fieldsAt(schema).keys()].map(name => [name, null]));
  const chat = chatSchema({ messages: 1 });
  const messages = [{ role: 'assistant', content: null, name: null, tool_calls: null, refusal: null }];
  assert.ok(chat.safeParse({ ...nulls(chat), messages }).success);
  const completion = completionSchema({ choices: 1 });
  assert.ok(completion.safeParse({ ...nulls(completion), prompt: 'a' }).success);
});

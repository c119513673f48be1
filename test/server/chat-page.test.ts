/** The page about the two routes names every field that their schemas know, and no other. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { z } from 'zod';
import { chatSchema } from '../../src/server/chat-request.ts';
import { completionSchema } from '../../src/server/completion-request.ts';

const [, both = '', chats = '', completions = ''] = readFileSync('docs/chat-completions.md', 'utf8').split('\n## ');

/** The names in the first column. */
function named(section: string): string[] {
  const cells = [...section.matchAll(/^\| (`.*?) \|/gm)].map(([, cell = '']) => cell);
  return cells.flatMap(cell => [...cell.matchAll(/`(\w+)[^`]*`/g)].map(([, name = '']) => name)).sort();
}

function known(schema: z.ZodType): string[] {
  let inner: z.ZodType = schema;
  while (inner instanceof z.ZodPipe) inner = inner.in as z.ZodType;
  assert.ok(inner instanceof z.ZodObject);
  return Object.keys(inner.shape).sort();
}

test('chats', () => {
  assert.deepEqual([...new Set([...named(both), ...named(chats)])].sort(), known(chatSchema({ messages: 1 })));
});

test('completions', () => {
  assert.deepEqual(
    [...new Set([...named(both), ...named(completions)])].sort(),
    known(completionSchema({ choices: 1 })),
  );
});

test('a null stands for every field that may be left out', () => {
  const nulls = (schema: z.ZodType) => Object.fromEntries(known(schema).map(name => [name, null]));
  const chat = chatSchema({ messages: 1 });
  const messages = [{ role: 'assistant', content: null, name: null, tool_calls: null, refusal: null }];
  assert.ok(chat.safeParse({ ...nulls(chat), messages }).success);
  const completion = completionSchema({ choices: 1 });
  assert.ok(completion.safeParse({ ...nulls(completion), prompt: 'a' }).success);
});

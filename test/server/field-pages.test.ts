/** The pages about the APIs name every field that the schemas know, and no other, and say which are ignored and refused. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { z } from 'zod';
import { routes } from '../../src/server/app.ts';
import { chatSchema } from '../../src/server/chat-request.ts';
import { completionSchema } from '../../src/server/completion-request.ts';
import { messagesSchema } from '../../src/server/messages/request.ts';
import { ollamaChatSchema } from '../../src/server/ollama/chat-request.ts';
import { ollamaGenerateSchema } from '../../src/server/ollama/generate-request.ts';
import { responsesSchema } from '../../src/server/responses/request.ts';
import { fieldsAt } from '../support/schema-fields.ts';

/** Rows of the tables of some sections: the names in the first column, and what is said of them. */
function rowsOf(page: string, ...sections: string[]): [name: string, words: string][] {
  const text = readFileSync(`docs/${page}.md`, 'utf8');
  const wanted = text.split('\n## ').filter(section => sections.some(title => section.startsWith(`${title}\n`)));
  assert.equal(wanted.length, sections.length);
  const rows = wanted.flatMap(section => [...section.matchAll(/^\| (`.*?) \| (.*) \|$/gm)]);
  return rows.flatMap(([, names = '', words = '']) =>
    [...names.matchAll(/`(\w+)[^`]*`/g)].map(([, name = '']): [string, string] => [name, words]),
  );
}

const pages: [page: string, sections: string[], schema: z.ZodType, path?: string[]][] = [
  ['chat-completions', ['Fields of both', 'Chats'], chatSchema({ messages: 1 })],
  ['chat-completions', ['Fields of both', 'Completions'], completionSchema({ choices: 1 })],
  ['responses', ['Fields of a request'], responsesSchema({ messages: 1 })],
  ['messages', ['Fields of a request'], messagesSchema({ messages: 1 })],
  ['ollama', ['Fields of both answers', 'Chats'], ollamaChatSchema({ messages: 1 })],
  ['ollama', ['Fields of both answers', 'Texts'], ollamaGenerateSchema()],
  ['ollama', ['Options'], ollamaGenerateSchema(), ['options']],
];

for (const [page, sections, schema, path] of pages) {
  test(`docs/${page}.md: ${sections.join(', ')}`, () => {
    const rows = rowsOf(page, ...sections);
    const fields = fieldsAt(schema, path);
    assert.deepEqual([...new Set(rows.map(([name]) => name))].sort(), [...fields.keys()].sort());
    for (const [name, words] of rows) {
      const fate = fields.get(name);
      if (fate !== 'honoured') assert.match(words, new RegExp(`\\b${fate}\\b`), name);
      else assert.doesNotMatch(words, /^refused/, name);
    }
  });
}

test('every route of the APIs of others is on their pages', () => {
  const text = ['messages', 'ollama'].map(page => readFileSync(`docs/${page}.md`, 'utf8')).join('');
  const others = routes.filter(({ path }) => path.startsWith('/api/') || path.startsWith('/v1/messages'));
  for (const { method, path } of others) assert.ok(text.includes(`\`${method} ${path}\``), path);
});

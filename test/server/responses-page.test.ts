/** The page about the Responses API names every field that its schema knows, and no other. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { z } from 'zod';
import { responsesSchema } from '../../src/server/responses/request.ts';

test('every field of a request is on the page', () => {
  const page = readFileSync('docs/responses.md', 'utf8');
  const section = page.split('\n## ').find(text => text.startsWith('Fields of a request'));
  const cells = [...section!.matchAll(/^\| (`.*?) \|/gm)].map(([, cell]) => cell!);
  const named = cells.flatMap(cell => [...cell.matchAll(/`(\w+)[^`]*`/g)].map(([, name]) => name));
  let schema: z.ZodType = responsesSchema({ messages: 1 });
  while (schema instanceof z.ZodPipe) schema = schema.in as z.ZodType;
  assert.ok(schema instanceof z.ZodObject);
  assert.deepEqual([...new Set(named)].sort(), Object.keys(schema.shape).sort());
});

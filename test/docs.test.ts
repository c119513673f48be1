/** The pages for those who work on Realm name files that exist, and link to pages that do. */
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { wrapped, writtenPages } from '../scripts/wrap.ts';
import type { Feature } from '../src/backend/backend.ts';
import { gpuFeatures } from '../src/backend/webgpu/backend.ts';
import { architectures } from '../src/model/architectures/table.ts';

const pages = [...globSync('*.md'), ...globSync('docs/*.md')].sort();

/** `src/…` and the like, as one writes files of the repository; NAME and q9_x stand for any. */
const filePattern = /`((?:src|test|scripts|docs|guest|examples)\/[\w./-]+)`/g;
const linkPattern = /\]\((?!https?:)([^)#\s]+)[^)]*\)/g;

for (const page of pages) {
  test(`${page} names what exists`, () => {
    const text = readFileSync(page, 'utf8');
    const files = [...text.matchAll(filePattern)].map(([, name]) => name!).filter(name => !/NAME|q9_x/.test(name));
    const links = [...text.matchAll(linkPattern)].map(([, name]) => join(dirname(page), name!));
    const missing = [...new Set([...files, ...links])].filter(name => !existsSync(name));
    assert.deepEqual(missing, []);
  });
}

for (const page of writtenPages()) {
  test(`${page} has lines of at most 120 characters, but for tables`, () => {
    const text = readFileSync(page, 'utf8');
    const long = text.split('\n').filter(line => line.length > 120 && !line.startsWith('|'));
    assert.deepEqual(long, [], 'npm run format breaks the lines of texts, those of code need a hand');
    assert.equal(wrapped(text), text);
  });
}

test('docs/models.md has a row for every architecture, and for no other, and says which run on a GPU', () => {
  const page = readFileSync('docs/models.md', 'utf8');
  const [, table = ''] = /\| architecture \|.*\n\|[-|]+\n((?:\|.*\n)+)/.exec(page) ?? [];
  const rows = [...table.matchAll(/^\| `([^`]+)` \|.*\| (\w+) \|$/gm)].map(([, name, gpu]) => `${name} ${gpu}`);
  const runs = (needs: readonly Feature[]) => (needs.every(need => gpuFeatures.has(need)) ? 'yes' : 'CPU');
  assert.deepEqual(rows.sort(), architectures.map(({ name, needs }) => `${name} ${runs(needs)}`).sort());
});

test('what is filled anew says the same, and nothing else is touched', () => {
  const long = `${'word '.repeat(30)}- 1. end`;
  const page = `# A title\n\n- one\n- ${long}\n  and more\n\n| a table | ${long} |\n\n\`\`\`\n${long}\n\`\`\`\n`;
  const words = (text: string) => text.split(/\s+/).join(' ');
  assert.equal(words(wrapped(page)), words(page));
  assert.equal(wrapped(wrapped(page)), wrapped(page));
  const lines = wrapped(page).split('\n');
  assert.deepEqual(lines.slice(0, 3), ['# A title', '', '- one']);
  assert.match(lines[3] ?? '', /^- (word ?)+$/);
  assert.match(lines[4] ?? '', /^ {2}word .*word - 1\. end and more$/);
  assert.deepEqual(lines.slice(-5), [`| a table | ${long} |`, '', '```', long, '```', ''].slice(-5));
});

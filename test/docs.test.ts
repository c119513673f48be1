/** The pages for those who work on Realm name files that exist, and link to pages that do. */
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';

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

/** Vocabularies of models that the oracle's source has none of, against the libraries of their publishers. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { asRealmError } from '../../src/errors.ts';
import { createTokenizer } from '../../src/tokenizer/create.ts';
import { published, publishedMetadata } from '../support/published-vocabularies.ts';

const fixture = (name: string) => JSON.parse(readFileSync(new URL(`fixtures/${name}.json`, import.meta.url), 'utf8'));
const texts: Record<string, string> = fixture('texts');
const tokens: Record<string, Record<string, number[]>> = fixture('published-tokens');

for (const [name, vocabulary] of Object.entries(published)) {
  describe(`${name}: the tokens of its publisher's library`, async () => {
    const opening = publishedMetadata(vocabulary).then(
      metadata => createTokenizer(metadata),
      error => {
        const { code, message } = asRealmError(error);
        if (code !== 'download_failed') throw error;
        return `its package cannot be had: ${message}`;
      },
    );
    const expected = Object.entries(tokens[name] ?? {});
    assert.ok(expected.length > 15);
    for (const [title, ids] of expected) {
      test(title, async t => {
        const tokenizer = await opening;
        if (typeof tokenizer === 'string') return t.skip(tokenizer);
        const text = texts[title]!;
        const found = tokenizer.encode(text, { addSpecial: false, parseSpecial: false });
        assert.deepEqual(found, ids);
        assert.equal(tokenizer.decode(found, { special: true }), text.toWellFormed());
      });
    }
  });
}

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
import { apiPage } from '../../scripts/api.ts';

it('docs/api.md says what the source says', () => {
  assert.equal(readFileSync('docs/api.md', 'utf8'), apiPage(), 'run `npm run docs:api`');
});

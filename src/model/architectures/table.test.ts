import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { architectures } from './table.ts';

test('every file here declares the architecture of its name, which is in the table once', () => {
  const files = readdirSync(import.meta.dirname).filter(file => !file.startsWith('table.'));
  assert.deepEqual(architectures.map(({ name }) => `${name}.ts`).sort(), files.sort());
});

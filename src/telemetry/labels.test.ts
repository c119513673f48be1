import assert from 'node:assert/strict';
import { test } from 'node:test';
import { closedLabel } from './labels.ts';

test('the first values keep their names, all others share one', () => {
  const label = closedLabel(2);
  assert.deepEqual(['a', 'b', 'c', 'a', 'd', 'b'].map(label), ['a', 'b', 'other', 'a', 'other', 'b']);
});

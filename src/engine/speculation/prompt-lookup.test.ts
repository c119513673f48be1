import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Token } from '../../tokenizer/types.ts';
import { PromptLookup } from './prompt-lookup.ts';

const tokens = (...ids: number[]) => ids as Token[];

test('drafts what followed the last occurrence of the last three tokens', () => {
  const text = tokens(1, 2, 3, 4, 5, 1, 2, 3, 6, 7, 1, 2, 3);
  assert.deepEqual(new PromptLookup().draft(text, 5), [6, 7]);
  assert.deepEqual(new PromptLookup().draft(text, 1), [6]);
  assert.deepEqual(new PromptLookup().draft(tokens(1, 2, 3, 4, 5), 5), []);
  assert.deepEqual(new PromptLookup().draft(tokens(1, 2), 5), []);
});

test('a draft may run into the tokens that it continues', () => {
  assert.deepEqual(new PromptLookup().draft(tokens(8, 8, 8, 8), 5), [8]);
});

test('drafts grow while they are right, up to a tile', () => {
  const text = tokens(...Array.from({ length: 60 }, (_, i) => i % 20));
  const lookup = new PromptLookup();
  const lengths = [1, 2, 3, 4].map(() => {
    const draft = lookup.draft(text, 9);
    lookup.learn(draft.length, draft.length);
    return draft.length;
  });
  assert.deepEqual(lengths, [2, 4, 5, 5]);
});

test('wrong drafts are followed by longer and longer pauses', () => {
  const text = tokens(...Array.from({ length: 60 }, (_, i) => i % 20));
  const lookup = new PromptLookup();
  const pause = (): number => {
    lookup.learn(2, 0);
    for (let skipped = 0; ; skipped++) if (lookup.draft(text, 5).length > 0) return skipped;
  };
  assert.deepEqual([pause(), pause(), pause(), pause(), pause()], [8, 16, 32, 64, 64]);
  lookup.learn(2, 1);
  assert.equal(pause(), 8);
});

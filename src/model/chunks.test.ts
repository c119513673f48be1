import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Chunks } from './chunks.ts';

const pages = Int32Array.of(9, 8, 7, 6, 5, 4);

test('a batch within the first chunk is itself', () => {
  const batch = { tokens: 3, segments: [{ start: 0, count: 3, position: 61, pages }] };
  assert.equal(new Chunks(64).of(batch), batch);
});

test('each chunk is a sequence of its own, with its own pages', () => {
  const segments = [
    { start: 0, count: 2, position: 1, pages: Int32Array.of(3) },
    { start: 2, count: 70, position: 60, pages },
    { start: 72, count: 1, position: 190, pages },
  ];
  const layout = new Chunks(64).of({ tokens: 73, segments });
  assert.equal(layout.tokens, 73);
  assert.deepEqual(layout.segments, [
    { start: 0, count: 2, position: 1, pages: Int32Array.of(3) },
    { start: 2, count: 4, position: 60, pages: Int32Array.of(9, 8) },
    { start: 6, count: 64, position: 0, pages: Int32Array.of(7, 6) },
    { start: 70, count: 2, position: 0, pages: Int32Array.of(5) },
    { start: 72, count: 1, position: 62, pages: Int32Array.of(5, 4) },
  ]);
});

test('all layers of a step get the same layout', () => {
  const batch = { tokens: 1, segments: [{ start: 0, count: 1, position: 64, pages }] };
  const chunks = new Chunks(64);
  assert.equal(chunks.of(batch), chunks.of(batch));
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Model } from '../model/types.ts';
import { bench } from './bench.ts';

test('every page has been written before a step is timed', async () => {
  const written = new Set<number>();
  let unwritten = 0;
  const model = {
    ...{ vocabSize: 100, pages: 5, pageBytes: 64, slots: 0 },
    writePage(page: number, bytes: Uint8Array) {
      assert.equal(bytes.length, 64);
      written.add(page);
    },
    run({ segments }: { segments: readonly { pages: Int32Array }[] }) {
      for (const { pages } of segments) unwritten += pages.filter(page => !written.has(page)).length;
    },
    tokens: () => Int32Array.of(0),
  };
  const work = { prompt: 0, gen: 4, batches: [2], depths: [0, 120], reps: 1 };
  const results = await bench(model as unknown as Model, work, undefined, 0);
  assert.deepEqual(
    results.map(result => result.test),
    ['tg4', 'tg4@d120', 'tg4x2'],
  );
  assert.equal(unwritten, 0);
  assert.equal(written.size, model.pages);
});

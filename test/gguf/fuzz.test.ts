/**
 * Hostile files by the hundred thousand: each is either described or refused with a RealmError, within a second and with no more
 * memory than 4 times the file and 64 MB. REALM_FUZZ_SEED and REALM_FUZZ_COUNT choose other inputs.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { dearFiles } from './dear-files.ts';
import type { Job } from './fuzz-worker.ts';
import { mostBytes, mostMs, openGuarded } from './guarded-open.ts';
import { encodeFields, randomFile, seeded } from './mutate.ts';

const seed = Number(process.env.REALM_FUZZ_SEED ?? 1);
const count = Number(process.env.REALM_FUZZ_COUNT ?? 100_000);

async function run<Answer>(job: Job): Promise<Answer> {
  const worker = new Worker(new URL('./fuzz-worker.ts', import.meta.url), { workerData: job });
  const [answer] = await once(worker, 'message');
  await worker.terminate();
  return answer;
}

test(`${count} mutated files, seed ${seed}`, { timeout: 120_000 }, async t => {
  const outcomes = await run<Record<string, number>>({ kind: 'mutate', seed, count });
  t.diagnostic(JSON.stringify(outcomes));
  // The mutations reach every kind of refusal, and do not destroy every file.
  for (const outcome of ['accepted', 'gguf_invalid', 'gguf_truncated', 'gguf_limit', 'gguf_type_unknown']) {
    const { [outcome]: times = 0 } = outcomes;
    assert.ok(times >= Math.floor(count / 1000), `${outcome}: ${times}`);
  }
});

test('the files are valid before they are mutated', async () => {
  const random = seeded(seed);
  for (let i = 0; i < 200; i++) {
    const result = await openGuarded(encodeFields(() => 1, randomFile(random)));
    assert.ok('tensors' in result, String(result));
  }
});

describe('files that are cheap to send and dear to hold', () => {
  for (const name of Object.keys(dearFiles)) {
    test(name, async t => {
      const { bytes, held, ms } = await run<{ bytes: number; held: number; ms: number }>({ kind: 'dear', name });
      t.diagnostic(`${bytes} bytes, ${Math.round(held / 2 ** 20)} MB held, ${Math.round(ms)} ms`);
      assert.ok(held < mostBytes(bytes), `${held} bytes held for a file of ${bytes}`);
      assert.ok(ms < mostMs, `took ${ms} ms`);
    });
  }
});

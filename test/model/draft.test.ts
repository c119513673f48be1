import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { writeSynthetic } from '../../scripts/synthetic/model.ts';
import type { GenerateRequest } from '../../src/engine/request.ts';
import { openEngine } from '../../src/engine/worker/handle.ts';
import { collect, request, tokensOf } from '../engine/support.ts';

const folder = await mkdtemp(join(tmpdir(), 'realm-draft-'));
after(() => rm(folder, { recursive: true }));

const path = join(folder, 'model.gguf');
writeSynthetic(path, { quant: 'Q4_0', seed: 1 });

/** Nothing but its length ends it, and few tokens can be chosen: a guess is often right. */
const asked = (seed: number): GenerateRequest => {
  const vocabSize = 512;
  const logitBias = Array.from({ length: vocabSize }, (_, i) => [i as never, i < vocabSize - 4 ? -100 : 0] as const);
  return request(seed, 60, { maxTokens: 60, sampling: { seed, temperature: seed % 2, logitBias } });
};

async function answers(draft: string | undefined) {
  const speculation = draft === undefined ? 'off' : 'lookup';
  const engine = await openEngine({ file: path, draft, speculation, threads: 2, context: 256 });
  try {
    const alone = tokensOf(await collect(engine.submit(asked(2))));
    const together = await Promise.all(
      [3, 4, 5].map(async seed => tokensOf(await collect(engine.submit(asked(seed))))),
    );
    return { tokens: [alone, ...together], stats: await engine.stats() };
  } finally {
    await engine.close();
  }
}

test('a model that drafts, on the same kernels, changes no token', async () => {
  const other = join(folder, 'draft.gguf');
  writeSynthetic(other, { quant: 'Q8_0', seed: 2, with: { layers: 1 } });
  const plain = await answers(undefined);
  for (const draft of [path, other]) {
    const { tokens, stats } = await answers(draft);
    assert.deepEqual(tokens, plain.tokens);
    assert.ok(stats.draftedTokens > 0, 'nothing was drafted');
    assert.ok(stats.memory.kvCache > plain.stats.memory.kvCache);
  }
});

test('a model with another vocabulary is refused before anything is loaded', async () => {
  const draft = join(folder, 'other.gguf');
  writeSynthetic(draft, { quant: 'Q4_0', with: { vocab: 1024 } });
  await assert.rejects(openEngine({ file: path, draft, context: 256 }), { code: 'draft_invalid' });
});

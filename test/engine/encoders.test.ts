/** Texts of an encoder are whole in every batch, whoever comes meanwhile, and nothing of them is taken from a cache. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { embed } from '../../src/llm/embed.ts';
import { ScriptedModel } from './scripted-model.ts';
import { collect, engineOf, expectedEmbedding, promptOf, request } from './support.ts';

for (const pooling of ['mean', 'cls', 'last'] as const) {
  test(`texts are whole in a batch, ${pooling}`, async () => {
    const model = new ScriptedModel({ pooling, encoder: true, maxBatchTokens: 128, trainedContext: 128, pages: 20 });
    let most = 0;
    model.beforeRun = ({ tokens, segments }) => {
      assert.ok(tokens <= 128);
      most = Math.max(most, segments.length);
      for (const { position } of segments) assert.equal(position, 0);
    };
    // Smaller pieces than the texts, as decoders would have them.
    const engine = engineOf(model, { maxBatchedTokens: 32, prefillChunk: 7 });
    const lengths = [128, 1, 40, 40, 3, 90, 64, 64, 17, 128, 2, 33];
    // The same texts again: nothing is left of the first time.
    for (let round = 0; round < 2; round++) {
      const all = lengths.map(async (length, i) => {
        const tokens = promptOf(i, length);
        const { values, usage } = await embed(engine, { id: `e${i}`, tenant: `t${i % 3}`, prompt: tokens });
        assert.deepEqual(values, expectedEmbedding(tokens, pooling));
        assert.deepEqual(usage, { promptTokens: length, cachedTokens: 0, completionTokens: 0 });
      });
      await Promise.all(all);
    }
    assert.ok(most > 1, 'short texts share a batch');
    await engine.close();
  });
}

test('an answer of an encoder is refused, and a text longer than its context with both numbers', async () => {
  const engine = engineOf(new ScriptedModel({ encoder: true, maxBatchTokens: 128, trainedContext: 100 }));
  const [end] = await collect(engine.submit(request(1, 9)));
  assert.equal(end?.kind === 'error' && end.code, 'invalid_request');
  const long = embed(engine, { id: 'e', tenant: 'a', prompt: promptOf(1, 101) });
  await assert.rejects(long, { code: 'context_length_exceeded', message: /101 tokens and the model's context is 100/ });
  await engine.close();
});

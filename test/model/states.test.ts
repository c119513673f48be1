/** Models whose layers keep a state, through the engine on real kernels: whoever is in the batch, and however a text is cut. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { writeSynthetic } from '../../scripts/synthetic/model.ts';
import type { EngineEvent, GenerateRequest } from '../../src/engine/request.ts';
import { openEngine } from '../../src/engine/worker/handle.ts';
import { collect, request, tokensOf } from '../engine/support.ts';

const folder = await mkdtemp(join(tmpdir(), 'realm-states-'));
after(() => rm(folder, { recursive: true }));

const shape = { layers: 4, interval: 4, headWidth: 64, vocab: 512 };
const vocabSize = 512;

/** Few tokens can be chosen, and its prompt repeats itself: guesses are often right, and often wrong. */
function asked(seed: number, rest: Partial<GenerateRequest> = {}): GenerateRequest {
  const part = request(seed, 23).prompt;
  const logitBias = Array.from({ length: vocabSize }, (_, i) => [i as never, i < vocabSize - 3 ? -100 : 0] as const);
  const sampling = { seed, temperature: seed % 2, logitBias };
  return request(seed, 0, {
    tenant: `t${seed}`,
    prompt: [...part, ...part, ...part],
    maxTokens: 40,
    sampling,
    ...rest,
  });
}

const cachedOf = (events: readonly EngineEvent[]) => {
  const end = events.at(-1)!;
  assert.ok(end.kind === 'end', `ended with ${JSON.stringify(end)}`);
  return end.usage.cachedTokens;
};

for (const architecture of ['lfm2', 'qwen35', 'qwen35moe'] as const) {
  describe(architecture, async () => {
    const file = join(folder, `${architecture}.gguf`);
    writeSynthetic(file, { architecture, quant: 'Q4_K_M', with: shape });
    const open = (rest: object = {}) => openEngine({ file, threads: 2, context: 512, device: 'cpu', ...rest });

    test('answers are the same alone and together, with guesses and without, in a cache that is too small', async () => {
      const plain = await open({ speculation: 'off', maxRunning: 1 });
      const expected: number[][] = [];
      for (const seed of [1, 2, 3, 4]) expected.push(tokensOf(await collect(plain.submit(asked(seed)))));
      await plain.close();
      const options = [{}, { kvTokens: 512, maxBatchedTokens: 48 }, { maxRunning: 2, prefillChunk: 7 }];
      // What the requests guess is right now and then, and mostly wrong.
      const draft = Array.from(
        { length: 40 },
        (_, i) => vocabSize - 1 - (i % 3),
      ) as unknown as GenerateRequest['prompt'];
      let [drafted, accepted] = [0, 0];
      for (const each of options) {
        const engine = await open(each);
        const found = await Promise.all(
          [1, 2, 3, 4].map(async seed => tokensOf(await collect(engine.submit(asked(seed, { draft }))))),
        );
        assert.deepEqual(found, expected, JSON.stringify(each));
        const stats = await engine.stats();
        drafted += stats.draftedTokens;
        accepted += stats.acceptedTokens;
        await engine.close();
      }
      assert.ok(accepted > 0 && accepted < drafted, `${accepted} of ${drafted} guesses were right`);
    });

    test('an answer in pieces, and one that goes on from a kept state', async () => {
      const engine = await open();
      const whole = asked(5, { maxTokens: 24 });
      const expected = tokensOf(await collect(engine.submit(whole)));
      const tokens: number[] = [];
      while (tokens.length < 24) {
        const prompt = [...whole.prompt, ...tokens] as unknown as GenerateRequest['prompt'];
        const piece = { ...whole, tenant: 'pieces', prompt, maxTokens: 1, answered: tokens.length, keepsTail: true };
        const events = await collect(engine.submit(piece));
        if (tokens.length > 0) assert.equal(cachedOf(events), prompt.length - 1, 'one row a token');
        tokens.push(...tokensOf(events));
      }
      assert.deepEqual(tokens, expected);
      // The next turn begins behind the last token that was computed.
      const next = { ...whole, prompt: [...whole.prompt, ...expected, ...request(9, 20).prompt] } as GenerateRequest;
      const warm = await collect(engine.submit(next));
      assert.equal(cachedOf(warm), whole.prompt.length + expected.length - 1);
      const cold = await collect(engine.submit({ ...next, tenant: 'another' }));
      assert.equal(cachedOf(cold), 0);
      assert.deepEqual(tokensOf(warm), tokensOf(cold));
      await engine.close();
    });

    test('a session carries the state to another engine', async () => {
      const [path, seal] = [join(folder, `${architecture}.session`), new Uint8Array(32).fill(3)];
      const first = await open();
      const begun = asked(6, { maxTokens: 30 });
      const tokens = [
        ...begun.prompt,
        ...tokensOf(await collect(first.submit(begun))),
      ] as unknown as GenerateRequest['prompt'];
      const saved = await first.saveSession({ tenant: begun.tenant, path, seal }, tokens);
      assert.ok(saved.computed > begun.prompt.length);
      const next = { ...begun, prompt: [...tokens, ...request(7, 9).prompt] } as GenerateRequest;
      const expected = tokensOf(await collect(first.submit({ ...next, tenant: 'fresh' })));
      await first.close();
      const second = await open();
      await second.restoreSession({ tenant: begun.tenant, path, seal });
      const events = await collect(second.submit(next));
      assert.equal(cachedOf(events), saved.computed);
      assert.deepEqual(tokensOf(events), expected);
      await second.close();
    });

    test('one whose state has no room is refused with both numbers', async () => {
      const bytes = 2 ** 20;
      const refused = {
        code: 'out_of_memory',
        message: /state of one sequence takes \d+ bytes, and there is room for 0/,
      };
      await assert.rejects(open({ memory: bytes }), refused);
    });
  });
}

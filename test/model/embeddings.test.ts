import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { LlamaModel } from 'node-llama-cpp';
import { type ArchitectureName, recipes } from '../../scripts/synthetic/architectures.ts';
import { writeSynthetic } from '../../scripts/synthetic/model.ts';
import { random } from '../../src/backend/parity/data.ts';
import { createWasmBackend } from '../../src/backend/wasm/create.ts';
import { createEngine } from '../../src/engine/engine.ts';
import { openGguf } from '../../src/gguf/open.ts';
import { embed } from '../../src/llm/embed.ts';
import { describeModel, loadModel } from '../../src/model/load.ts';
import type { Token } from '../../src/tokenizer/types.ts';
import { writeFloatCopy } from '../support/float-copy.ts';
import { embeddingOf, scoreOf, withLlama } from '../support/llama-cpp.ts';

const models = process.env.REALM_TEST_MODELS ?? '../shared/models';

/** The model's embedding, its text cut into pieces; or its score. */
async function ours(path: string, tokens: readonly number[], rank = false): Promise<Float32Array> {
  const file = await openGguf(path);
  const model = await loadModel(file, await createWasmBackend({ threads: 2 }), {
    kvTokens: 512,
    // A decoder's texts go through it in pieces, an encoder's never.
    maxBatchTokens: describeModel(file).encoder ? 128 : 64,
    maxOutputs: 16,
  });
  await file.close();
  const engine = createEngine(model, { backend: '', fileSize: 0, loadMs: 0 }, { maxBatchedTokens: 48 });
  try {
    return (await embed(engine, { id: 'e', tenant: 'a', prompt: tokens as Token[], rank })).values;
  } finally {
    await engine.close();
  }
}

const theirs = (path: string, tokensOf: (llama: LlamaModel) => Int32Array) =>
  withLlama(path, llama => embeddingOf(llama, tokensOf(llama)));

/** Of two vectors of length 1. */
function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  assert.equal(a.length, b.length);
  assert.ok(Math.abs(Math.hypot(...Array.from(a)) - 1) < 1e-5);
  return Array.from(a).reduce((sum, value, i) => sum + value * b[i]!, 0);
}

describe('embeddings point where those of llama.cpp do', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'realm-embeddings-'));
  });
  after(() => rm(folder, { recursive: true }));

  const poolings = ['none said', 'mean', 'cls', 'last'];
  const general = ['llama', 'qwen3', 'gemma3', 'bert', 'nomicBert', 'gemmaEmbedding'] satisfies ArchitectureName[];
  for (const architecture of general) {
    for (const [number, title] of poolings.entries()) {
      // There llama.cpp has no embedding of a text but one of each token.
      if (number === 0 && ['bert', 'nomicBert', 'gemmaEmbedding'].includes(architecture)) continue;
      test(`${architecture}, ${title}`, async () => {
        const path = join(folder, `${architecture}-${number}.gguf`);
        const said = number > 0 && {
          [`${recipes[architecture].name}.pooling_type`]: { type: 'u32', value: number } as const,
        };
        writeSynthetic(path, { architecture, quant: 'F16', metadata: said || {} });
        const next = random(number);
        const { tokens, vector } = await theirs(path, () => Int32Array.from({ length: 90 }, () => next() * 500));
        const near = cosine(await ours(path, tokens), vector);
        assert.ok(near >= 0.9999, `cosine ${near}`);
      });
    }
  }

  for (const architecture of ['bertReranker', 'qwen3Reranker'] satisfies ArchitectureName[]) {
    test(`${architecture}: scores are those of llama.cpp`, async () => {
      const path = join(folder, `${architecture}.gguf`);
      writeSynthetic(path, { architecture, quant: 'F16' });
      const next = random(1);
      const [query, document] = [7, 50].map(length => Int32Array.from({ length }, () => 10 + next() * 500));
      const { tokens, score } = await withLlama(path, llama => scoreOf(llama, query!, document!));
      const [own] = await ours(path, tokens, true);
      assert.ok(Math.abs(own! - score) < 1e-3, `${own}, llama.cpp ${score}`);
    });
  }

  test('SmolLM2-135M with F16 weights; as shipped in Q4_1 it is as near to them as llama.cpp with Q4_1', async t => {
    const text = await readFile('test/fixtures/text/constitution.txt', 'utf8');
    const shipped = join(models, 'SmolLM2-135M-Instruct.Q4_1.gguf');
    const floats = join(folder, 'f16.gguf');
    await writeFloatCopy(shipped, floats);
    const first = (llama: LlamaModel) => Int32Array.from(llama.tokenize(text, false).slice(0, 100));
    const [exact, rounded] = [await theirs(floats, first), await theirs(shipped, first)];
    const near = cosine(await ours(floats, exact.tokens), exact.vector);
    const [own, other] = [
      cosine(await ours(shipped, exact.tokens), exact.vector),
      cosine(rounded.vector, exact.vector),
    ];
    t.diagnostic(JSON.stringify({ near, own, other }));
    assert.ok(near >= 0.9999, `cosine ${near}`);
    assert.ok(own >= other - 0.001, `${own} from the F16 weights, llama.cpp ${other}`);
  });
});

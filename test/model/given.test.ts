/** Embeddings given by the caller: a row that is a token's own embedding is the same as the token, to the bit. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { encodeGguf } from '../../scripts/synthetic/gguf-writer.ts';
import { syntheticModel } from '../../scripts/synthetic/model.ts';
import type { Backend } from '../../src/backend/backend.ts';
import { createReferenceBackend } from '../../src/backend/reference/reference.ts';
import { SplitBackend } from '../../src/backend/split/backend.ts';
import { splitAt } from '../../src/backend/split/placement.ts';
import { createWasmBackend } from '../../src/backend/wasm/create.ts';
import { memoryReader } from '../../src/gguf/memory-reader.ts';
import { openGguf } from '../../src/gguf/open.ts';
import { loadModel } from '../../src/model/load.ts';
import { Tensors } from '../../src/model/tensors.ts';
import type { Batch, GivenRows, Model } from '../../src/model/types.ts';
import { logitsOf } from '../support/logits.ts';

const width = 128;
const tokens = Int32Array.from({ length: 9 }, (_, i) => (i * 37 + 3) % 200);
/** Two runs of neighbours, and the last row, whose logits are wanted. */
const rows = Int32Array.of(1, 2, 3, 6, 8);

// gemma scales the embeddings of its tokens; what is given is not scaled.
const scales = { llama: 1, gemma2: Math.fround(Math.sqrt(width)) } as const;
type Architecture = keyof typeof scales;

const shape = { width, heads: 4, kvHeads: 2, ffn: 256, vocab: 400, layers: 2 };
const bytesOf = (architecture: Architecture) => encodeGguf(syntheticModel({ architecture, quant: 'F16', with: shape }));

const backends: Record<string, () => Promise<Backend> | Backend> = {
  reference: createReferenceBackend,
  wasm: () => createWasmBackend({ threads: 1 }),
  'wasm on two threads': () => createWasmBackend({ threads: 2 }),
  'two that have a layer each': async () => {
    const sides = [await createWasmBackend({ threads: 1 }), createReferenceBackend()] as const;
    return new SplitBackend(sides, splitAt(1, true));
  },
};

async function load(backend: Backend, architecture: Architecture): Promise<Model> {
  const file = await openGguf(memoryReader(bytesOf(architecture), 'given.gguf'));
  return loadModel(file, backend, { kvTokens: 64, maxBatchTokens: 16, maxOutputs: 1 });
}

async function logits(model: Model, ids: Int32Array, given?: GivenRows): Promise<Float32Array> {
  const count = ids.length;
  const batch: Batch = {
    tokens: count,
    ids,
    given,
    positions: Int32Array.from({ length: count }, (_, i) => i),
    outputs: Int32Array.of(count - 1),
    segments: [{ start: 0, count, position: 0, pages: Int32Array.of(0) }],
  };
  await model.run(batch);
  return (await logitsOf(model, 0)).slice();
}

/** The embeddings of the tokens at `rows`, as the first layer gets them. */
async function embeddings(architecture: Architecture): Promise<Float32Array> {
  const backend = createReferenceBackend();
  const file = await openGguf(memoryReader(bytesOf(architecture), 'given.gguf'));
  const table = await new Tensors(file, backend).matrix('token_embd.weight', shape.vocab, width);
  const out = backend.buffer(rows.length, width);
  backend.embed(
    out,
    table,
    rows.map(row => tokens[row]!),
  );
  backend.scale(out, scales[architecture], rows.length);
  await backend.run();
  const values = new Float32Array(rows.length * width);
  await backend.download(out, Int32Array.from(rows.keys()), values);
  return values;
}

for (const [name, open] of Object.entries(backends)) {
  describe(`given rows on ${name}`, () => {
    for (const architecture of Object.keys(scales) as Architecture[]) {
      test(`of ${architecture} are the same as the tokens whose embeddings they are`, async () => {
        const model = await load(await open(), architecture);
        const wanted = await logits(model, tokens);
        // Other tokens in their places.
        const ids = tokens.map((id, row) => (rows.includes(row) ? 399 - id : id));
        assert.notDeepEqual(await logits(model, ids), wanted);
        const values = await embeddings(architecture);
        assert.deepEqual(await logits(model, ids, { rows, values }), wanted);
        // And a batch without any has none.
        assert.deepEqual(await logits(model, tokens), wanted);
        await model.close();
      });
    }
  });
}

test('rows that do not fit are a fault, found before memory is touched', async () => {
  const model = await load(createReferenceBackend(), 'llama');
  const bad: GivenRows[] = [
    { rows: Int32Array.of(2, 1), values: new Float32Array(2 * width) },
    { rows: Int32Array.of(9), values: new Float32Array(width) },
    { rows: Int32Array.of(-1), values: new Float32Array(width) },
    { rows: Int32Array.of(0), values: new Float32Array(width - 1) },
  ];
  for (const given of bad) await assert.rejects(logits(model, tokens, given), { code: 'internal_error' });
});

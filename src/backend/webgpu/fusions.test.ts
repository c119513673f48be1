import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { pageTokens, type RopeSpec } from '../backend.ts';
import { layout } from '../parity/data.ts';
import { assertSameBits, filled, results, weights } from '../parity/suite.ts';
import { Caches } from './caches.ts';
import { Elementwise } from './elementwise.ts';
import { Products } from './products.ts';
import { partOfBackend } from './testing/part-of-backend.ts';

const { backend, context } = await partOfBackend(context => {
  const [elementwise, products, caches] = [new Elementwise(context), new Products(context), new Caches(context)];
  return {
    rmsNorm: elementwise.rmsNorm.bind(elementwise),
    gate: elementwise.gate.bind(elementwise),
    rope: elementwise.rope.bind(elementwise),
    matrix: products.matrix.bind(products),
    matmul: (...[out, matrix, x, rows]: Parameters<Products['one']>) => products.one(out, matrix, x, rows, {}),
    kvCache: caches.create.bind(caches),
    storeKv: caches.store.bind(caches),
    attention: caches.attend.bind(caches),
  };
});
after(() => backend.close());

/** What is computed fused and one by one; how many dispatches fewer it takes. */
async function fewer(scenario: () => Promise<Float32Array[]>): Promise<number> {
  const { recorder } = context;
  const runs = [];
  for (const fuses of [false, true]) {
    recorder.fuses = fuses;
    const before = recorder.dispatches;
    runs.push({ rows: await scenario(), dispatches: recorder.dispatches - before });
  }
  assertSameBits(runs[1]!.rows, runs[0]!.rows);
  return runs[0]!.dispatches - runs[1]!.dispatches;
}

for (const type of ['Q8_0', 'Q4_K'] as const)
  for (const columns of [256, 1792]) {
    test(`${columns} columns are normed, or gated, and quantised for ${type} at once`, async () => {
      const matrix = await weights(backend, type, 8, columns);
      for (const rows of [1, 5]) {
        const norm = backend.vector(new Float32Array(columns).fill(1.25));
        const normed = async () => {
          const [x, out] = [filled(backend, 2, rows, columns), backend.buffer(rows, 8)];
          backend.rmsNorm(x, x, norm, 1e-5, rows);
          backend.matmul(out, matrix, x, rows);
          return results(backend, x, out);
        };
        assert.equal(await fewer(normed), 1);
        for (const kind of ['silu', 'gelu'] as const) {
          const gated = async () => {
            const [gate, up, out] = [
              filled(backend, 3, rows, columns),
              filled(backend, 4, rows, columns),
              backend.buffer(rows, 8),
            ];
            backend.gate(gate, gate, up, kind, rows);
            backend.matmul(out, matrix, gate, rows);
            return results(backend, gate, out);
          };
          assert.equal(await fewer(gated), 1);
        }
      }
    });
  }

test('a norm of heads, and one that is read by others, are not fused', async () => {
  const matrix = await weights(backend, 'Q8_0', 8, 256);
  const norm = backend.vector(new Float32Array(64).fill(1.25));
  const heads = async () => {
    const [x, out] = [filled(backend, 2, 2, 256), backend.buffer(2, 8)];
    backend.rmsNorm(x, x, norm, 1e-5, 2);
    backend.matmul(out, matrix, x, 2);
    return results(backend, x, out);
  };
  assert.equal(await fewer(heads), 0);
  const fewerRows = async () => {
    const [x, out] = [filled(backend, 2, 2, 256), backend.buffer(2, 8)];
    backend.rmsNorm(x, x, backend.vector(new Float32Array(256).fill(1.25)), 1e-5, 1);
    backend.matmul(out, matrix, x, 2);
    return results(backend, x, out);
  };
  assert.equal(await fewer(fewerRows), 0);
});

const pages = Int32Array.from({ length: 12 }, (_, i) => (5 * i) % 12);

for (const type of ['F16', 'Q8_0'] as const)
  for (const style of ['adjacent', 'halves'] as const)
    for (const normed of [false, true]) {
      const title = `queries and keys are ${normed ? 'normed, ' : ''}rotated (${style}) and stored in ${type}`;
      test(`${title} at once`, async () => {
        const [heads, kvHeads, headDim] = [4, 2, 64];
        const rope: RopeSpec = {
          ...{ headDim, dimensions: 48, style, magnitude: 1, maxPosition: 512 },
          frequencies: Float64Array.from({ length: 24 }, (_, i) => 0.7 ** i),
        };
        const weight = backend.vector(Float32Array.from({ length: headDim }, (_, i) => 1 + i / headDim));
        const batch = layout([
          { position: 29, count: 7, pages },
          { position: 3, count: 1, pages: pages.subarray(3) },
        ]);
        const positions = Int32Array.of(29, 30, 31, 32, 33, 34, 35, 3);
        const turned = async () => {
          const cache = backend.kvCache({ layers: [{ kvHeads, headDim }], pages: 12, slots: 0, type });
          const rows = batch.tokens;
          const [q, out] = [filled(backend, 1, rows, heads * headDim), backend.buffer(rows, heads * headDim)];
          const [k, v] = [filled(backend, 2, rows, kvHeads * headDim), filled(backend, 3, rows, kvHeads * headDim)];
          if (normed) for (const x of [q, k]) backend.rmsNorm(x, x, weight, 1e-5, rows);
          backend.rope(q, rope, positions, heads);
          backend.rope(k, rope, positions, kvHeads);
          backend.storeKv(cache, 0, k, v, batch);
          backend.attention(out, q, cache, 0, batch, { heads, scale: 0.125 });
          return results(backend, q, k, out);
        };
        assert.equal(await fewer(turned), normed ? 4 : 2);
      });
    }

test('splits are combined and quantised at once, beside rows that have one', async () => {
  const [heads, kvHeads, headDim] = [4, 2, 64];
  const matrix = await weights(backend, 'Q8_0', 8, heads * headDim);
  const cache = backend.kvCache({ layers: [{ kvHeads, headDim }], pages: 24, slots: 0, type: 'F16' });
  const long = Int32Array.from({ length: 12 }, (_, i) => 12 + i);
  const stored = layout([{ position: 0, count: 9 * pageTokens, pages: long }]);
  const columns = kvHeads * headDim;
  backend.storeKv(
    cache,
    0,
    filled(backend, 1, stored.tokens, columns),
    filled(backend, 2, stored.tokens, columns),
    stored,
  );
  await backend.run();
  const batch = layout([
    { position: 2, count: 1, pages },
    { position: 9 * pageTokens - 1, count: 1, pages: long },
  ]);
  const attended = async () => {
    const [q, out, all] = [filled(backend, 5, 2, 256), backend.buffer(2, 256), backend.buffer(2, 8)];
    backend.attention(out, q, cache, 0, batch, { heads, scale: 0.125 });
    backend.matmul(all, matrix, out, 2);
    return results(backend, out, all);
  };
  assert.equal(await fewer(attended), 1);
});

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { formats } from '../../quant/formats.ts';
import { pageTokens, type RopeSpec } from '../backend.ts';
import { layout } from '../parity/data.ts';
import { assertSameBits, filled, results, weights } from '../parity/suite.ts';
import { Caches } from './caches.ts';
import type { Dispatch } from './dispatch.ts';
import { Elementwise } from './elementwise.ts';
import { fused } from './fusions.ts';
import { Products } from './products.ts';
import { partOfBackend } from './testing/part-of-backend.ts';

const { backend, context } = await partOfBackend(context => {
  const [elementwise, products, caches] = [new Elementwise(context), new Products(context), new Caches(context)];
  return {
    rmsNorm: elementwise.rmsNorm.bind(elementwise),
    gate: elementwise.gate.bind(elementwise),
    rope: elementwise.rope.bind(elementwise),
    matrix: products.matrix.bind(products),
    matmuls: products.several.bind(products),
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
  for (const fuse of [(dispatches: readonly Dispatch[]) => dispatches, fused]) {
    recorder.fuse = fuse;
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
      for (const rows of [5, 9]) {
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

test('a norm of heads, or of fewer rows, is a dispatch of its own', async () => {
  const matrix = await weights(backend, 'Q8_0', 8, 256);
  for (const [columns, normed] of [
    [64, 5],
    [256, 1],
  ] as const) {
    const norm = backend.vector(new Float32Array(columns).fill(1.25));
    const apart = async () => {
      const [x, out] = [filled(backend, 2, 5, 256), backend.buffer(5, 8)];
      backend.rmsNorm(x, x, norm, 1e-5, normed);
      backend.matmul(out, matrix, x, 5);
      return results(backend, x, out);
    };
    assert.equal(await fewer(apart), 0);
  }
});

/** Blocks of either size, with and without what is subtracted. */
const integers = ['Q4_0', 'Q4_1', 'Q4_K', 'Q6_K'] as const;

for (const type of integers) {
  test(`a few inputs of ${type} are quantised where they are multiplied, unless others want them too`, async () => {
    for (const columns of [256, 5376]) {
      const matrix = await weights(backend, type, 13, columns);
      for (const rows of [1, 3, 5]) {
        const multiplied = async () => {
          const [x, out] = [filled(backend, 2, rows, columns), backend.buffer(rows, 13)];
          backend.matmul(out, matrix, x, rows);
          return results(backend, out);
        };
        assert.equal(await fewer(multiplied), rows > 4 ? 0 : 1);
      }
    }
    const other = await weights(backend, type === 'Q4_K' ? 'Q6_K' : 'Q4_K', 9, 256);
    const matrix = await weights(backend, type, 13, 256);
    const both = async () => {
      const [x, a, b] = [filled(backend, 2, 1, 256), backend.buffer(1, 13), backend.buffer(1, 9)];
      const products = [
        { out: a, matrix },
        { out: b, matrix: other },
      ];
      backend.matmuls(products, x, 1);
      return results(backend, a, b);
    };
    assert.equal(await fewer(both), formats[type].blockSize === 256 ? 0 : 2);
  });

  test(`${type} is gated in the product`, async () => {
    for (const columns of [256, 1280]) {
      const [gateOf, upOf] = [
        await weights(backend, type, 13, columns, 1),
        await weights(backend, type, 13, columns, 2),
      ];
      const bias = backend.vector(Float32Array.from({ length: 13 }, (_, i) => i / 4));
      for (const rows of [1, 6]) {
        const gated = async () => {
          const [x, gate, up] = [filled(backend, 2, rows, columns), backend.buffer(rows, 13), backend.buffer(rows, 13)];
          const products = [
            { out: gate, matrix: gateOf },
            { out: up, matrix: upOf, bias },
          ];
          backend.matmuls(products, x, rows);
          backend.gate(gate, gate, up, rows === 1 ? 'silu' : 'gelu', rows);
          return results(backend, gate, up);
        };
        assert.equal(await fewer(gated), 1);
      }
    }
  });
}

for (const types of [
  ['Q4_K', 'Q4_K', 'Q6_K'],
  ['Q4_1', 'Q8_0'],
  ['IQ4_XS', 'Q3_K', 'Q3_K'],
] as const)
  test(`${types} of one input are a dispatch, with the bits of each alone`, async () => {
    context.recorder.fuse = fused;
    for (const columns of [256, 1280])
      for (const rows of [1, 6]) {
        const matrices = await Promise.all(types.map((type, i) => weights(backend, type, 13 + 4 * i, columns, i)));
        const outs = () => matrices.map(matrix => backend.buffer(rows, matrix.rows));
        const [x, together, alone] = [filled(backend, 2, rows, columns), outs(), outs()];
        const products = matrices.map((matrix, i) => ({ matrix, out: together[i]! }));
        backend.matmuls(products, x, rows);
        const before = context.recorder.dispatches;
        const found = await results(backend, ...together);
        assert.ok(context.recorder.dispatches - before <= 2);
        matrices.forEach((matrix, i) => void backend.matmul(alone[i]!, matrix, x, rows));
        assertSameBits(found, await results(backend, ...alone));
      }
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
    ...[2, 3, 4, 5].map(position => ({ position, count: 1, pages })),
    { position: 9 * pageTokens - 1, count: 1, pages: long },
  ]);
  const sinks = context.vector(Float32Array.of(3, -2, 0.5, 8));
  const attended = (sunk: boolean) => async () => {
    const [q, out, all] = [filled(backend, 5, 5, 256), backend.buffer(5, 256), backend.buffer(5, 8)];
    backend.attention(out, q, cache, 0, batch, { heads, scale: 0.125, sinks: sunk ? sinks : undefined });
    backend.matmul(all, matrix, out, 5);
    return results(backend, out, all);
  };
  assert.equal(await fewer(attended(false)), 1);
  assert.equal(await fewer(attended(true)), 1);
});

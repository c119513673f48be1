import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { formats } from '../quant/formats.ts';
import type { QuantType } from '../quant/types.ts';
import type { AttentionOptions, Backend, Buffer, CacheType, Matrix } from './backend.ts';
import { floats, layout, type Span, shuffledPages, source, weightBytes } from './parity-data.ts';
import { createReferenceBackend } from './reference/reference.ts';

/** Does something on a backend and returns what it computed. */
type Scenario = (backend: Backend) => Promise<Float32Array[]>;

const types = Object.keys(formats) as QuantType[];

/**
 * Registers the tests that every backend must pass: each operation gives the same bits as the reference backend does, on
 * seeded data, whatever the shapes, the batch and the chunking. Needs no weights file.
 */
export function parity(name: string, create: () => Backend | Promise<Backend>): void {
  describe(`parity of ${name} with the reference`, () => {
    let backend: Backend;
    before(async () => {
      backend = await create();
    });
    after(() => backend.close());
    const same = (title: string, scenario: Scenario) =>
      test(title, async () => {
        assertSameBits(await scenario(backend), await scenario(createReferenceBackend()));
      });
    products(same);
    rows(same);
    attention(same);
    for (const type of types) {
      test(`a non-finite scale is refused in ${type}`, () => refusesInfinity(backend, type));
    }
    test('chunks and neighbours change no bit', () => chunking(backend));
  });
}

type Same = (title: string, scenario: Scenario) => void;

/** The bits of each array must be equal; NaN never is expected. */
function assertSameBits(actual: readonly Float32Array[], expected: readonly Float32Array[]): void {
  assert.equal(actual.length, expected.length);
  expected.forEach((values, row) => {
    assert.equal(actual[row].length, values.length);
    const bad = values.findIndex((value, i) => !Object.is(value, actual[row][i]) || Number.isNaN(value));
    if (bad >= 0) assert.fail(`row ${row}, column ${bad}: ${actual[row][bad]}, expected ${values[bad]}`);
  });
}

function filled(backend: Backend, seed: number, rows: number, columns: number, scale = 1): Buffer {
  const buffer = backend.buffer(rows, columns);
  for (let row = 0; row < rows; row++) backend.write(buffer, row, floats(seed * 1000 + row, columns, scale));
  return buffer;
}

async function results(backend: Backend, ...buffers: readonly Buffer[]): Promise<Float32Array[]> {
  await backend.run();
  return buffers.flatMap(buffer => Array.from({ length: buffer.rows }, (_, row) => backend.read(buffer, row).slice()));
}

function weights(backend: Backend, type: QuantType, rows: number, columns: number, seed = 1): Promise<Matrix> {
  return backend.matrix(source(type, rows, columns, weightBytes(type, rows * columns, seed)));
}

function products(same: Same): void {
  for (const type of types) {
    const { blockSize } = formats[type];
    const unit = Math.max(blockSize, 32);
    for (const columns of [unit, 3 * unit]) {
      const shapes = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 17, 20, 70].map(tokens => ({ rows: 13, tokens }));
      const tall = [1, 7, 8, 16, 67, 130].map(rows => ({ rows, tokens: 3 }));
      same(`${type} times x, ${columns} columns`, async backend => {
        const all: Float32Array[] = [];
        for (const { rows, tokens } of [...shapes, ...tall]) {
          const matrix = await weights(backend, type, rows, columns, rows);
          const out = backend.buffer(tokens, rows);
          backend.matmul(out, matrix, filled(backend, tokens, tokens, columns), tokens);
          all.push(...(await results(backend, out)));
        }
        return all;
      });
    }
    same(`${type} with bias and accumulation`, backend => biased(backend, type, unit));
    same(`${type} of zero, tiny and large inputs`, backend => extremes(backend, type, unit));
    same(`${type} embeddings`, async backend => {
      const table = await weights(backend, type, 19, 3 * unit);
      const out = backend.buffer(6, 3 * unit);
      backend.embed(out, table, Int32Array.of(0, 18, 7, 7, 1, 12));
      return results(backend, out);
    });
  }
  same('several matrices of different types times one input', async backend => {
    const x = filled(backend, 5, 9, 768);
    const out = await Promise.all(
      types.map(async (type, i) => ({
        out: backend.buffer(9, 10 + i),
        matrix: await weights(backend, type, 10 + i, 768, i),
        bias: i % 2 ? backend.vector(floats(i, 10 + i)) : undefined,
      })),
    );
    backend.matmuls(out, x, 9);
    return results(backend, ...out.map(product => product.out));
  });
}

async function biased(backend: Backend, type: QuantType, columns: number): Promise<Float32Array[]> {
  const matrix = await weights(backend, type, 21, columns);
  const bias = backend.vector(floats(3, 21));
  const x = filled(backend, 4, 10, columns);
  const outs = [{ bias }, { accumulate: true }, { bias, accumulate: true }].map((options, i) => {
    const out = filled(backend, 10 + i, 10, 21);
    backend.matmul(out, matrix, x, 9, options);
    return out;
  });
  return results(backend, ...outs);
}

async function extremes(backend: Backend, type: QuantType, columns: number): Promise<Float32Array[]> {
  const x = backend.buffer(5, columns);
  [0, 1e-38, 1e-29, 1e-3, 1e5].forEach((scale, row) => {
    backend.write(x, row, floats(row, columns, scale));
  });
  const out = backend.buffer(5, 11);
  backend.matmul(out, await weights(backend, type, 11, columns), x, 5);
  return results(backend, out);
}

function rows(same: Same): void {
  for (const [columns, group] of [
    [576, 576],
    [512, 64],
    [720, 80],
    [100, 100],
    [4096, 4096],
  ]) {
    same(`rmsNorm over ${columns} in groups of ${group}`, async backend => {
      const x = filled(backend, 1, 5, columns, 3);
      const out = backend.buffer(5, columns);
      const weight = backend.vector(floats(2, group));
      backend.rmsNorm(out, x, weight, 1e-5, 4);
      backend.rmsNorm(x, x, weight, 1e-6, 5);
      return results(backend, out, x);
    });
    same(`layerNorm over ${group}`, async backend => {
      const x = filled(backend, 1, 5, group, 3);
      backend.layerNorm(x, x, backend.vector(floats(2, group)), backend.vector(floats(3, group)), 1e-5, 4);
      return results(backend, x);
    });
  }
  for (const style of ['adjacent', 'halves'] as const) {
    for (const [headDim, dimensions] of [
      [64, 64],
      [80, 80],
      [96, 48],
      [128, 128],
      [256, 64],
    ]) {
      same(`rope ${style}, ${dimensions} of ${headDim}`, backend => rotated(backend, style, headDim, dimensions));
    }
  }
  for (const columns of [1, 7, 96, 1536]) {
    same(`row operations over ${columns} columns`, backend => elementwise(backend, columns));
  }
}

async function rotated(
  backend: Backend,
  style: 'adjacent' | 'halves',
  headDim: number,
  dimensions: number,
): Promise<Float32Array[]> {
  const frequencies = Float64Array.from({ length: dimensions / 2 }, (_, i) => 10000 ** ((-2 * i) / dimensions));
  const rope = backend.ropeTable({ headDim, dimensions, style, frequencies, magnitude: 1.125, maxPosition: 1000 });
  const x = filled(backend, 7, 6, 3 * headDim);
  backend.rope(x, rope, Int32Array.of(0, 1, 2, 999, 31), 3);
  return results(backend, x);
}

/** Activations far outside where they matter, at the borders of exp's range, and the two zeros. */
const borders = [0, -0, 1e-30, -1e-30, 0.5, -0.5, 43, -43, 87, -87, 88, -88, 89, -89, 1e4, -1e4, 1e12, -1e12];

async function elementwise(backend: Backend, columns: number): Promise<Float32Array[]> {
  const inputs = (seed: number) => {
    const buffer = filled(backend, seed, 5, columns, 20);
    const edge = Float32Array.from({ length: columns }, (_, i) => borders[i % borders.length]);
    backend.write(buffer, 0, edge);
    return buffer;
  };
  const [silu, gelu, inPlace, capped, sum, scaled] = [1, 2, 3, 4, 5, 6].map(inputs);
  const up = filled(backend, 9, 5, columns);
  const gathered = backend.buffer(4, columns);
  backend.gate(silu, inputs(7), up, 'silu', 4);
  backend.gate(gelu, inputs(8), up, 'gelu', 5);
  backend.gate(inPlace, inPlace, up, 'silu', 5);
  backend.softcap(capped, 30, 4);
  backend.add(sum, up, 4);
  backend.scale(scaled, 0.3, 4);
  backend.gather(gathered, scaled, Int32Array.of(4, 0, 2));
  return results(backend, silu, gelu, inPlace, capped, sum, scaled, gathered);
}

interface Heads {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly type: CacheType;
}

function attention(same: Same): void {
  const variants: Omit<AttentionOptions, 'heads' | 'scale'>[] = [
    {},
    { window: 33 },
    { window: 5, softcap: 20 },
    { softcap: 50 },
  ];
  const shapes: Omit<Heads, 'type'>[] = [
    { heads: 4, kvHeads: 4, headDim: 64 },
    { heads: 9, kvHeads: 3, headDim: 64 },
    { heads: 8, kvHeads: 1, headDim: 128 },
    { heads: 6, kvHeads: 2, headDim: 80 },
    { heads: 2, kvHeads: 1, headDim: 256 },
  ];
  const caches = (['F16', 'Q8_0'] as const).flatMap(type => shapes.map(shape => ({ ...shape, type })));
  for (const shape of caches.filter(({ type, headDim }) => type === 'F16' || headDim % 32 === 0)) {
    for (const variant of variants) {
      const { heads, kvHeads, headDim, type } = shape;
      same(`attention ${heads}/${kvHeads} heads of ${headDim}, ${type} ${JSON.stringify(variant)}`, async backend => {
        const run = sequences(backend, shape, variant);
        const [a, b, c] = shuffledPages(3, 130, 1);
        return [
          ...(await run([{ position: 0, count: 45, pages: a }], 1)),
          ...(await run(
            [
              { position: 45, count: 19, pages: a },
              { position: 0, count: 70, pages: b },
            ],
            2,
          )),
          ...(await run(
            [
              { position: 64, count: 1, pages: a },
              { position: 70, count: 1, pages: b },
              { position: 0, count: 3, pages: c },
            ],
            3,
          )),
        ];
      });
    }
  }
}

/** Runs batches on one cache of two layers: stores seeded keys and values into the second, attends with seeded queries. */
function sequences(backend: Backend, { heads, kvHeads, headDim, type }: Heads, options: object) {
  const cache = backend.kvCache({ layers: 2, kvHeads, headDim, pages: 15, type });
  return (spans: readonly Span[], seed: number): Promise<Float32Array[]> => {
    const batch = layout(spans);
    const q = filled(backend, seed, batch.tokens, heads * headDim, 3);
    const k = filled(backend, seed + 10, batch.tokens, kvHeads * headDim, 3);
    const v = filled(backend, seed + 20, batch.tokens, kvHeads * headDim);
    backend.write(v, 0, floats(seed, kvHeads * headDim, 1e5)); // beyond F16: stored as its largest
    const out = backend.buffer(batch.tokens, heads * headDim);
    backend.storeKv(cache, 1, k, v, batch);
    backend.attention(out, q, cache, 1, batch, { heads, scale: 1 / Math.sqrt(headDim), ...options });
    return results(backend, out);
  };
}

async function refusesInfinity(backend: Backend, type: QuantType): Promise<void> {
  const columns = Math.max(formats[type].blockSize, 32);
  const { offsets, kind } = formats[type].scales;
  for (const offset of offsets) {
    const bytes = weightBytes(type, 9 * columns, 1);
    const at = bytes.length - formats[type].blockBytes + offset;
    if (kind === 'F32') bytes.set([0, 0, 0x80, 0x7f], at);
    else bytes.set(kind === 'F16' ? [1, 0x7c] : [0x80, 0xff], at);
    const load = async () => {
      await backend.matrix(source(type, 9, columns, bytes));
      await backend.loaded();
    };
    await assert.rejects(load, { code: 'model_invalid' });
  }
}

/** A sequence of 75 tokens in several chunkings, and beside another sequence: the same rows. */
async function chunking(backend: Backend): Promise<void> {
  const shape = { heads: 6, kvHeads: 2, headDim: 64 };
  const matrix = await weights(backend, 'Q4_1', 6 * 64, 6 * 64);
  const run = async (chunks: readonly number[], neighbour: number) => {
    const cache = backend.kvCache({ layers: 1, ...shape, pages: 9, type: 'F16' });
    const [pages, others] = shuffledPages(2, 96, chunks.length);
    const rows: Float32Array[] = [];
    for (const count of chunks) {
      const spans = [{ position: rows.length, count, pages }];
      if (neighbour) spans.unshift({ position: 0, count: neighbour, pages: others });
      const batch = layout(spans);
      const x = backend.buffer(batch.tokens, 6 * 64);
      const [q, out] = [backend.buffer(batch.tokens, 6 * 64), backend.buffer(batch.tokens, 6 * 64)];
      const [k, v] = [filled(backend, 8, batch.tokens, 128), filled(backend, 9, batch.tokens, 128)];
      for (let i = 0; i < count; i++) {
        const position = rows.length + i;
        backend.write(x, neighbour + i, floats(position, 6 * 64));
        backend.write(k, neighbour + i, floats(1000 + position, 128));
        backend.write(v, neighbour + i, floats(2000 + position, 128));
      }
      backend.matmul(q, matrix, x, batch.tokens);
      backend.storeKv(cache, 0, k, v, batch);
      backend.attention(out, q, cache, 0, batch, { heads: 6, scale: 0.01 });
      rows.push(...(await results(backend, out)).slice(neighbour));
    }
    return rows;
  };
  const whole = await run([75], 0);
  assertSameBits(await run(new Array(75).fill(1), 0), whole);
  assertSameBits(await run([32, 43], 3), whole);
  assertSameBits(await run([1, 40, 7, 27], 20), whole);
}

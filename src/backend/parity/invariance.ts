/** A row's result does not depend on which other rows are in the step, nor on how a text is cut into steps. */
import { test } from 'node:test';
import { formats } from '../../quant/formats.ts';
import { segmentColumns } from '../../quant/segment.ts';
import type { QuantType } from '../../quant/types.ts';
import type { Backend, Buffer } from '../backend.ts';
import { floats, layout, shuffledPages } from './data.ts';
import { longTypes } from './products.ts';
import { assertSameBits, filled, results, weights } from './suite.ts';

/** To the bit on every backend, exact or not. */
export function invariance(backend: () => Backend, types: readonly QuantType[]): void {
  for (const type of types) {
    test(`${type}: a row's product is the same whatever is beside it`, async () => {
      const unit = Math.max(formats[type].blockSize, 32);
      const columns = longTypes.includes(type) ? segmentColumns + 2 * unit : unit;
      const matrix = await weights(backend(), type, 21, columns);
      await sameInPieces(backend(), columns, 21, (out, x, rows) => backend().matmul(out, matrix, x, rows));
    });
  }
  test("a row's norm, gate and logits are the same whatever is beside it", async () => {
    const norm = backend().vector(floats(2, 64));
    await sameInPieces(backend(), 192, 192, (out, x, rows) => {
      backend().rmsNorm(out, x, norm, 1e-5, rows);
      backend().gate(out, out, x, 'silu', rows);
      backend().add(out, x, rows);
      backend().softcap(out, 30, rows);
    });
  });
  test("a row's experts, and what they make of it, are the same whatever is beside it", () => experts(backend()));
  test('chunks and neighbours change no bit', () => chunking(backend()));
}

/** 70 rows at once, and in pieces of every kind of tile. */
async function sameInPieces(
  backend: Backend,
  columns: number,
  outColumns: number,
  record: (out: Buffer, x: Buffer, rows: number) => void,
): Promise<void> {
  const run = async (pieces: readonly number[]) => {
    const rows: Float32Array[] = [];
    for (const count of pieces) {
      const x = backend.buffer(count, columns);
      for (let i = 0; i < count; i++) backend.write(x, i, floats(rows.length + i, columns, 3));
      const out = backend.buffer(count, outColumns);
      record(out, x, count);
      rows.push(...(await results(backend, out)));
    }
    return rows;
  };
  assertSameBits(await run([1, 2, 3, 6, 13, 45]), await run([70]));
}

async function experts(backend: Backend): Promise<void> {
  const [count, topK, width, inner] = [5, 2, 64, 32];
  const router = await weights(backend, 'F32', count, width, 1);
  const up = await weights(backend, 'Q8_0', count * inner, width, 2);
  const down = await weights(backend, 'Q8_0', count * width, inner, 3);
  await sameInPieces(backend, width, width, (out, x, rows) => {
    const routing = backend.routing(rows, count, topK);
    const [scores, middle] = [backend.buffer(rows, count), backend.buffer(rows * topK, inner)];
    const slots = backend.buffer(rows * topK, width);
    backend.matmul(scores, router, x, rows);
    backend.route(routing, scores, rows);
    backend.expertMatmuls([{ out: middle, matrix: up }], x, 'tokens', routing, rows);
    backend.expertMatmuls([{ out: slots, matrix: down }], middle, 'slots', routing, rows);
    backend.combine(out, slots, routing, rows);
  });
}

/** A sequence in several chunkings, and beside another: the same rows. The longer one passes a split's border. */
async function chunking(backend: Backend): Promise<void> {
  const shape = { kvHeads: 2, headDim: 64 };
  const matrix = await weights(backend, 'Q4_1', 6 * 64, 6 * 64);
  const run = async (chunks: readonly number[], neighbour: number) => {
    const cache = backend.kvCache({ layers: [shape], pages: 18, slots: 0, type: 'F16' });
    const pagesOf = shuffledPages(2, 288, chunks.length);
    const rows: Float32Array[] = [];
    for (const count of chunks) {
      const spans = [{ position: rows.length, count, pages: pagesOf(0) }];
      if (neighbour) spans.unshift({ position: 0, count: neighbour, pages: pagesOf(1) });
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
  assertSameBits(await run([250, 1, 7, 4], 20), await run([262], 0));
}

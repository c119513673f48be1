import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { byteLength, formats } from '../../quant/formats.ts';
import type { QuantType } from '../../quant/types.ts';
import { floats, source, weightBytes } from '../parity/data.ts';
import { dot, prepareInput, unpackRow } from '../reference/dot.ts';
import { Context } from './context.ts';
import type { GpuWorkBuffer } from './handles.ts';
import { Products } from './products.ts';

const f = Math.fround;
const types = Object.keys(formats) as QuantType[];
const unit = (type: QuantType) => Math.max(formats[type].blockSize, 32);

let context: Context;
before(async () => {
  context = await Context.open();
});
after(() => context.close());

function filled(rows: number, columns: number, seed: number, scale = 1): GpuWorkBuffer {
  const buffer = context.buffer(rows, columns);
  for (let row = 0; row < rows; row++) {
    context.work.write(buffer.at + row * buffer.stride, floats(seed + row, columns, scale));
  }
  return buffer;
}

async function read(...buffers: readonly GpuWorkBuffer[]): Promise<Float32Array[]> {
  context.recorder.submit();
  const rows = buffers.flatMap(({ at, stride, columns, rows }) =>
    Array.from({ length: rows }, (_, i) => ({ at: 4 * (at + i * stride), columns })),
  );
  const parts = rows.map(({ at, columns }) => ({ buffer: context.work.buffer(), at, bytes: 4 * columns }));
  const words = new Float32Array((await context.readback.read(parts)).buffer);
  let from = 0;
  return rows.map(({ columns }) => {
    const row = words.slice(from, from + columns);
    from += columns;
    return row;
  });
}

/** A row times x: a chain for each 1,024 columns, their sums added ascending. */
function expected(type: QuantType, bytes: Uint8Array, columns: number, row: number, x: Float32Array): number {
  const rowBytes = byteLength(type, columns);
  const own = bytes.subarray(row * rowBytes, (row + 1) * rowBytes);
  let total = 0;
  for (let from = 0; from < columns; from += 1024) {
    const count = Math.min(1024, columns - from);
    const part = own.subarray(byteLength(type, from), byteLength(type, from + count));
    const sum = dot(unpackRow(type, part, count), prepareInput(type, x.subarray(from, from + count)));
    total = from === 0 ? sum : f(total + sum);
  }
  return total;
}

function assertBits(actual: Float32Array, wanted: ArrayLike<number>, what: string): void {
  for (let i = 0; i < wanted.length; i++) {
    if (!Object.is(actual[i], wanted[i])) assert.fail(`${what}, output ${i}: ${actual[i]}, expected ${wanted[i]}`);
  }
}

async function check(
  type: QuantType,
  rows: number,
  columns: number,
  tokenCounts: readonly number[],
  mostBytes?: number,
) {
  const products = new Products(context, mostBytes);
  const bytes = weightBytes(type, rows * columns, rows);
  const matrix = await products.matrix(source(type, rows, columns, bytes));
  const most = Math.max(...tokenCounts);
  const x = filled(most, columns, 1);
  const outs = tokenCounts.map(tokens => {
    const out = context.buffer(tokens, rows);
    products.one(out, matrix, x, tokens, {});
    return out;
  });
  const found = await read(...outs);
  const wanted = Array.from({ length: most }, (_, token) =>
    Array.from({ length: rows }, (_, row) => expected(type, bytes, columns, row, floats(1 + token, columns))),
  );
  let at = 0;
  for (const tokens of tokenCounts) {
    for (let token = 0; token < tokens; token++, at++) {
      assertBits(found[at]!, wanted[token]!, `${type}, ${tokens} tokens, token ${token}`);
    }
  }
  products.free(matrix);
  assert.equal(products.bytes, 0);
}

for (const type of types) {
  test(`${type} times 1, 2, 5, 17 and 70 tokens`, () => check(type, 21, 3 * unit(type), [1, 2, 5, 17, 70]));
}

for (const [type, columns] of [
  ['Q4_0', 2112],
  ['Q4_1', 1056],
  ['Q4_K', 2304],
  ['Q6_K', 5120],
  ['F32', 1030],
  ['F16', 5001],
] as const) {
  test(`${type} over ${columns} columns: segments of 1,024`, () => check(type, 9, columns, [1, 3, 17]));
}

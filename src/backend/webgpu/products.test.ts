import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { byteLength, formats } from '../../quant/formats.ts';
import type { QuantType } from '../../quant/types.ts';
import { floats, source, weightBytes } from '../parity/data.ts';
import { dot, prepareInput, unpackRow } from '../reference/dot.ts';
import { assignSlots } from '../reference/routing.ts';
import { Context } from './context.ts';
import type { GpuWorkBuffer } from './handles.ts';
import { gpuTypes } from './plain-format.ts';
import { Products } from './products.ts';

const f = Math.fround;
const types = gpuTypes;
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

async function loaded(products: Products, type: QuantType, rows: number, columns: number, seed = rows) {
  const bytes = weightBytes(type, rows * columns, seed);
  return { bytes, matrix: await products.matrix(source(type, rows, columns, bytes)) };
}

/** Products of one matrix with several numbers of tokens, each row against the rule. */
async function check(type: QuantType, rows: number, columns: number, counts: readonly number[], mostBytes?: number) {
  const products = new Products(context, mostBytes);
  const { bytes, matrix } = await loaded(products, type, rows, columns);
  assert.equal(matrix.parts.length > 1, mostBytes !== undefined);
  const most = Math.max(...counts);
  const x = filled(most, columns, 1);
  const outs = counts.map(tokens => {
    const out = context.buffer(tokens, rows);
    products.one(out, matrix, x, tokens, {});
    return out;
  });
  const found = await read(...outs);
  const wanted = Array.from({ length: most }, (_, token) =>
    Array.from({ length: rows }, (_, row) => expected(type, bytes, columns, row, floats(1 + token, columns))),
  );
  let at = 0;
  for (const tokens of counts) {
    for (let token = 0; token < tokens; token++, at++) {
      assertBits(found[at]!, wanted[token]!, `${type}, ${tokens} tokens, token ${token}`);
    }
  }
  products.free(matrix);
  assert.equal(products.bytes, 0);
}

/** Of zero, tiny and large inputs, with a bias, added to what was there. */
async function checkAddends(type: QuantType) {
  const [products, columns, rows] = [new Products(context), 2 * unit(type), 13];
  const { bytes, matrix } = await loaded(products, type, rows, columns);
  // WGSL may take what is below 2 ** -126 for zero, so products of floats stay above that.
  const scales = [0, formats[type].integers ? 1e-38 : 1e-29, 1e-29, 1e-3, 1e5];
  const x = context.buffer(scales.length, columns);
  const input = (token: number) => floats(token, columns, scales[token]);
  for (const token of scales.keys()) context.work.write(x.at + token * x.stride, input(token));
  const bias = context.vector(floats(3, rows));
  const options = [{}, { bias }, { accumulate: true }, { bias, accumulate: true }];
  const outs = options.map(each => {
    const out = filled(scales.length, rows, 50);
    products.one(out, matrix, x, scales.length, each);
    return out;
  });
  const found = await read(...outs);
  let at = 0;
  for (const { bias, accumulate } of options) {
    for (const token of scales.keys()) {
      const wanted = Array.from(floats(50 + token, rows), (before, row) => {
        const value = expected(type, bytes, columns, row, input(token));
        const sum = bias ? f(value + floats(3, rows)[row]!) : value;
        return accumulate ? f(before + sum) : sum;
      });
      assertBits(found[at++]!, wanted, `${type}, scale ${scales[token]}, ${bias ? 'bias' : ''} ${accumulate}`);
    }
  }
  products.free(matrix);
}

async function checkEmbeddings(type: QuantType, mostBytes?: number) {
  const [products, columns, rows] = [new Products(context, mostBytes), 3 * unit(type), 70];
  const { bytes, matrix } = await loaded(products, type, rows, columns);
  const ids = Int32Array.of(0, 69, 7, -1, 7, 33, -2);
  const at = context.work.take(ids.length);
  context.work.write(at, ids);
  const [given, sampled] = [filled(ids.length, columns, 1), filled(ids.length, columns, 2)];
  products.embed(given, matrix, ids);
  products.embed(sampled, matrix, { owner: context.owner, rows: ids.length, at });
  const found = await read(given, sampled);
  for (const [i, row] of found.entries()) {
    const [id, wanted] = [ids[i % ids.length]!, new Float32Array(columns)];
    if (id >= 0) formats[type].decode(bytes.subarray(id * byteLength(type, columns)), wanted, columns);
    assertBits(row, wanted, `${type}, embedding ${id}`);
  }
  products.free(matrix);
}

for (const type of types) {
  test(`${type} times 1, 2, 5, 17 and 70 tokens`, () => check(type, 21, 3 * unit(type), [1, 2, 5, 17, 70]));
  test(`${type} with bias and accumulation, of zero, tiny and large inputs`, () => checkAddends(type));
  test(`${type} embeddings`, () => checkEmbeddings(type));
}

for (const [type, columns] of [
  ['Q4_0', 2112],
  ['Q4_1', 1056],
  ['Q4_K', 2304],
  ['Q6_K', 5120],
  ['F32', 1030],
  ['F16', 5001],
] as const) {
  test(`${type} over ${columns} columns: segments of 1,024`, () => check(type, 9, columns, [1, 3, 33]));
}

test('a large matrix lies in several buffers', async () => {
  await check('Q4_K', 100, 256, [1, 5, 33], 5000);
  await check('F16', 100, 32, [1, 5, 33], 5000);
  await checkEmbeddings('Q4_0', 2000);
  await assert.rejects(check('Q8_0', 1, 320, [1], 2000), { code: 'out_of_memory' });
});

async function checkSeveral(tokens: number) {
  const products = new Products(context);
  const all = await Promise.all(
    (['Q4_0', 'Q4_K', 'F16', 'Q4_K', 'Q4_0', 'F16', 'F16', 'F16'] as const).map(async (type, i) => {
      const bias = i % 2 ? context.vector(floats(i, 13)) : undefined;
      return { ...(await loaded(products, type, 13, 256, i)), type, out: context.buffer(tokens, 13), bias };
    }),
  );
  products.several(all, filled(tokens, 256, 5), tokens);
  // Two inputs are quantised; of each type three matrices at once.
  assert.equal(context.recorder.length, 6);
  const found = await read(...all.map(({ out }) => out));
  for (const [i, { type, bytes, bias }] of all.entries()) {
    for (let token = 0; token < tokens; token++) {
      const wanted = Array.from({ length: 13 }, (_, row) => {
        const value = expected(type, bytes, 256, row, floats(5 + token, 256));
        return bias ? f(value + floats(i, 13)[row]!) : value;
      });
      assertBits(found[tokens * i + token]!, wanted, `${type}, token ${token}`);
    }
  }
}

test('several matrices of different types times one input, those of one type together', async () => {
  await checkSeveral(1);
  await checkSeveral(3);
  await checkSeveral(33);
});

/** Tokens take experts at random, some experts none. */
async function checkExperts(type: QuantType, tokens: number, mostBytes?: number) {
  const [products, experts, topK, rows, columns] = [new Products(context, mostBytes), 5, 2, 72, unit(type)];
  const { bytes, matrix } = await loaded(products, type, experts * rows, columns);
  const slots = tokens * topK;
  const chosen = Int32Array.from({ length: slots }, (_, i) => (i % 2 ? 4 : (i * 7) % 4 === 1 ? 2 : 0));
  const table = { slotOf: new Int32Array(slots), tokenOf: new Int32Array(slots), starts: new Int32Array(experts + 1) };
  assignSlots(chosen, topK, table);
  const place = (values: Int32Array) => {
    const at = context.work.take(values.length);
    context.work.write(at, values);
    return at;
  };
  const [starts, tokenOf] = [place(table.starts), place(table.tokenOf)];
  const routing = { owner: context.owner, experts, topK, chosen: 0, weights: 0, slotOf: 0, tokenOf, starts };
  const [x, y] = [context.buffer(slots, rows), context.buffer(slots, rows)];
  products.experts([{ out: x, matrix }], filled(tokens, columns, 1), 'tokens', routing, tokens);
  products.experts([{ out: y, matrix }], filled(slots, columns, 500), 'slots', routing, tokens);
  const found = await read(x, y);
  for (let expert = 0, slot = 0; expert < experts; expert++) {
    for (; slot < table.starts[expert + 1]!; slot++) {
      const product = (input: Float32Array) =>
        Array.from({ length: rows }, (_, row) => expected(type, bytes, columns, expert * rows + row, input));
      assertBits(found[slot]!, product(floats(1 + table.tokenOf[slot]!, columns)), `${type}, slot ${slot} of tokens`);
      assertBits(found[slots + slot]!, product(floats(500 + slot, columns)), `${type}, slot ${slot}`);
    }
  }
  products.free(matrix);
}

for (const type of ['F16', 'Q4_0', 'Q5_K'] as const) {
  test(`experts in ${type}, of few tokens and of many`, async () => {
    await checkExperts(type, 3);
    await checkExperts(type, 90);
    await checkExperts(type, 20, 16_000);
  });
}

test('devices without packed products give the same', async () => {
  const found = [];
  for (const language of [context.device.language, new Set<string>()]) {
    const device = { ...context.device, language };
    const plain = Object.assign(Object.create(context) as Context, { device });
    const products = new Products(plain);
    const { matrix } = await loaded(products, 'Q8_0', 9, 64);
    const outs = [1, 3, 33].map(tokens => {
      const out = context.buffer(tokens, 9);
      products.one(out, matrix, filled(33, 64, 1), tokens, {});
      return out;
    });
    found.push(await read(...outs));
  }
  assert.deepEqual(found[0], found[1]);
});

test('refuses scales that are not finite, and half blocks; nothing stays behind', async () => {
  for (const type of types) {
    const products = new Products(context, 10_000);
    const { scales, blockBytes } = formats[type];
    for (const offset of scales.offsets) {
      const bytes = weightBytes(type, 90 * unit(type), 1);
      const at = bytes.length - blockBytes + offset;
      const infinite = { F32: [0, 0, 0x80, 0x7f], F16: [1, 0x7c], BF16: [0x80, 0xff], E8M0: [0xff] };
      bytes.set(infinite[scales.kind as keyof typeof infinite], at);
      await assert.rejects(products.matrix(source(type, 90, unit(type), bytes)), { code: 'model_invalid' }, type);
    }
    assert.equal(products.bytes, 0);
  }
  const half = source('Q4_K', 1, 128, new Uint8Array(72));
  await assert.rejects(new Products(context).matrix(half), { code: 'model_invalid', message: /128 columns/ });
});

test('a GPU that has no memory left says so, and keeps nothing', async () => {
  const destroyed: number[] = [];
  let left = 2;
  const full = {
    queue: { writeBuffer: () => {}, submit: () => {} },
    pushErrorScope: () => {},
    popErrorScope: async () => (left-- > 0 ? null : { message: 'full' }),
    createBuffer: ({ size }: GPUBufferDescriptor) => ({ size, destroy: () => destroyed.push(size) }),
  };
  const device = { ...context.device, gpu: full as unknown as GPUDevice };
  const products = new Products(Object.assign(Object.create(context) as Context, { device }), 5000);
  await assert.rejects(loaded(products, 'Q8_0', 150, 128), { code: 'out_of_memory', message: /test.Q8_0/ });
  assert.deepEqual(destroyed, [4352, 4352, 4352]);
  assert.equal(products.bytes, 0);
});

/** A format that is only declared, in none of the tables, has a decoder, a layout and kernels with the reference's bits. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { random } from '../backend/parity/data.ts';
import { dot32, dot256 } from '../backend/reference/dot.ts';
import { quantize } from '../backend/reference/quantize.ts';
import { bits } from '../quant/codes.ts';
import { defineFormat } from '../quant/define.ts';
import { newBlock, type QuantFormat, viewBlocks } from '../quant/format.ts';
import { formats } from '../quant/formats.ts';
import { quantize32, quantize256 } from './activation.ts';
import { assembleModule } from './assembler.ts';
import { product32 } from './blocks32.ts';
import { product256 } from './blocks256.ts';
import { constantsEnd, writeConstants } from './constants.ts';
import { format32 } from './formats32.ts';
import { format256 } from './formats256.ts';
import { groupRows, kernelForm, layoutOf, packedBytes, unpackRow } from './layout.ts';
import { pack } from './pack.ts';

const q5_9 = defineFormat({
  name: 'Q5_9',
  id: 1000,
  blockSize: 32,
  fields: { qs: 16, m: 'F16', qh: 4, d: 'F16' },
  weights: { bits: [bits('qs', 4, 16), bits('qh', 1, 1)] },
  scale: 'd',
  minimum: 'm',
});

const q4_9 = defineFormat({
  name: 'Q4_9',
  id: 1001,
  blockSize: 256,
  fields: { scales: 8, d: 'F16', qs: 128 },
  weights: { bits: [bits('qs', 4, 32)], subtract: 8 },
  parts: { size: 32, bits: [bits('scales', 8, 1)], signed: true },
  scale: 'd',
});

/** Eight rows of two blocks, with scales that are small numbers. */
function rowsOf({ blockBytes, scales }: QuantFormat): Uint8Array {
  const next = random(7);
  const bytes = Uint8Array.from({ length: groupRows * 2 * blockBytes }, () => next() * 256);
  const view = new DataView(bytes.buffer);
  for (let block = 0; block < bytes.length; block += blockBytes)
    for (const offset of scales.offsets) view.setFloat16(block + offset, next() - 0.5, true);
  return bytes;
}

function reference({ blockSize, blockBytes, integers }: QuantFormat, row: Uint8Array, x: Float32Array): number {
  assert.ok(integers);
  const blocks = [0, 1].map(i => {
    const block = newBlock(blockSize);
    integers.unpack(viewBlocks(row), i * blockBytes, block);
    return block;
  });
  const { minimumOf } = integers;
  return (blockSize === 32 ? dot32 : dot256)({ blocks, minimumOf }, quantize(x, blockSize));
}

/** Packs the rows and multiplies them with x, in kernels made for this format. */
function multiplied(format: QuantFormat, rows: Uint8Array, x: Float32Array) {
  const [small, large] = [format32(format), format256(format)];
  const product = small ? product32(small, 1, 'plain') : large && product256(large, 1, 'plain');
  assert.ok(product);
  const quantizer = small ? quantize32() : quantize256();
  const memory = new WebAssembly.Memory({ initial: 2, maximum: 65536, shared: true });
  const module = new WebAssembly.Module(assembleModule([pack(format), quantizer, product], format.name));
  const kernels = new WebAssembly.Instance(module, { env: { memory } }).exports as Record<
    string,
    (...args: number[]) => void
  >;
  writeConstants(new Uint8Array(memory.buffer));
  let end = Math.ceil(constantsEnd / 64) * 64;
  const room = (bytes: number) => {
    const at = end;
    end = Math.ceil((end + bytes) / 64) * 64;
    return at;
  };
  const [source, packed] = [room(rows.length), room(rows.length)];
  const [input, record, y, scratch] = [room(x.length * 4), room(x.length * 4), room(groupRows * 4), room(4096)];
  new Uint8Array(memory.buffer).set(rows, source);
  new Float32Array(memory.buffer, input, x.length).set(x);
  kernels[`pack_${format.name}`]?.(source, rows.length / groupRows, 2, packed);
  kernels[quantizer.name]?.(input, 2, record, 1);
  kernels[product.name]?.(packed, 2, 1, record, y, groupRows * 4, 0, 0, scratch);
  const layout = layoutOf(format);
  const taken = rows.slice(0, rows.length / groupRows);
  const bytes = packedBytes(layout, groupRows, x.length);
  unpackRow(new Uint8Array(memory.buffer, packed, bytes), layout, x.length, 5, taken);
  return { y: new Float32Array(memory.buffer).slice(y / 4, y / 4 + groupRows), taken };
}

describe('a format that is only declared', () => {
  test('decodes by its fields', () => {
    const row = rowsOf(q5_9).subarray(0, 24);
    const decoded = new Float32Array(32);
    q5_9.decode(row, decoded, 32);
    const view = new DataView(row.buffer);
    const [d, m, high] = [view.getFloat16(22, true), view.getFloat16(16, true), view.getUint32(18, true)];
    for (let i = 0; i < 32; i++) {
      const low = ((row[i % 16] as number) >> (i < 16 ? 0 : 4)) & 15;
      assert.equal(decoded[i], Math.fround(d * (low | (((high >>> i) & 1) << 4)) + m));
    }
  });

  for (const format of [q5_9, q4_9]) {
    test(`${format.name} is packed and multiplied with the reference's bits`, () => {
      const rows = rowsOf(format);
      const next = random(8);
      const x = Float32Array.from({ length: 2 * format.blockSize }, () => next() - 0.5);
      const { y, taken } = multiplied(format, rows, x);
      const row = (i: number) => rows.subarray((i * rows.length) / groupRows, ((i + 1) * rows.length) / groupRows);
      assert.deepEqual(
        y,
        Float32Array.from({ length: groupRows }, (_, i) => reference(format, row(i), x)),
      );
      assert.deepEqual(taken, row(5));
    });
  }

  test('is refused with the way in which its bits stand, when kernels have no instructions for that', () => {
    const strange = defineFormat({
      name: 'Q2_9',
      id: 1002,
      blockSize: 32,
      fields: { d: 'F16', qs: 8 },
      weights: { bits: [bits('qs', 2, 8)] },
      scale: 'd',
    });
    assert.throws(() => format32(strange), /Q2_9: no kernel unpacks 2x8 in blocks of 32/);
  });
});

describe('every format', () => {
  for (const format of Object.values(formats)) {
    test(`${format.name} is one kind of kernel's, and packing moves every byte of its block once`, () => {
      const kinds = [format32, format256].map(find => find(kernelForm(format))).filter(Boolean).length;
      assert.equal(kinds, format.integers ? 1 : 0);
      const moved = format.packing.flatMap(({ from, bytes, count }) =>
        Array.from({ length: bytes * count }, (_, i) => from + i),
      );
      assert.deepEqual(
        moved.sort((a, b) => a - b),
        Array.from({ length: format.blockBytes }, (_, i) => i),
      );
    });
  }
});

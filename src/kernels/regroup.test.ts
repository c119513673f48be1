import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { newBlock, type QuantFormat, viewBlocks } from '../quant/format.ts';
import { formats } from '../quant/formats.ts';
import { assembleModule } from './assembler.ts';
import { groupRows, layouts, packedBytes, unpackRow } from './layout.ts';
import { pack } from './pack.ts';

/** Eight equal rows of one block through the kernel that packs, and one of them back. */
function packed(format: QuantFormat, row: Uint8Array): Uint8Array {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536, shared: true });
  const module = new WebAssembly.Module(assembleModule([pack(format)], format.name));
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  const [bytes, layout] = [new Uint8Array(memory.buffer), layouts[format.name as keyof typeof layouts]];
  for (let r = 0; r < groupRows; r++) bytes.set(row, r * row.length);
  (exports[`pack_${format.name}`] as (...args: number[]) => void)(0, row.length, 1, 4096);
  const size = packedBytes(layout, groupRows, format.blockSize);
  const back = new Uint8Array(row.length);
  unpackRow(new Uint8Array(memory.buffer, 4096, size), layout, format.blockSize, 3, back);
  return back;
}

describe('a word whose bits are regrouped', () => {
  for (const format of [formats.Q1_0, formats.Q2_0]) {
    test(`${format.name} keeps its integers`, () => {
      const { integers, expanded, blockSize, blockBytes } = format as QuantFormat;
      assert.ok(integers && expanded?.integers);
      const [before, after] = [newBlock(blockSize), newBlock(blockSize)];
      fc.assert(
        fc.property(fc.uint8Array({ minLength: blockBytes, maxLength: blockBytes }), row => {
          integers.unpack(viewBlocks(row), 0, before);
          expanded.integers?.unpack(viewBlocks(packed(format, row)), 0, after);
          assert.deepEqual(after, before);
        }),
        { numRuns: 30 },
      );
    });
  }
});

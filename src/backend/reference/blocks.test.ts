import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formats } from '../../quant/formats.ts';
import type { QuantType } from '../../quant/types.ts';
import { weightBytes } from '../parity/data.ts';
import { type BlockLayout, blockLayouts, newBlock } from './blocks.ts';

for (const [type, layout] of Object.entries(blockLayouts) as [QuantType, BlockLayout][]) {
  test(`the integers of ${type} times their scales are the decoded weights`, () => {
    const { blockSize, blockBytes, decode } = formats[type];
    for (let seed = 0; seed < 20; seed++) {
      const bytes = weightBytes(type, blockSize, seed);
      assert.equal(bytes.length, blockBytes);
      const decoded = new Float32Array(blockSize);
      decode(bytes, decoded, blockSize);
      const block = newBlock(blockSize);
      layout.unpack(new DataView(bytes.buffer), 0, block);
      assert.deepEqual(weightsOf(block, layout), decoded);
    }
  });
}

function weightsOf({ ints, scales, mins, d, m }: ReturnType<typeof newBlock>, layout: BlockLayout): Float32Array {
  return Float32Array.from(ints, (value, i) => {
    const group = i >> 4;
    const product = d * scales[group] * value;
    if (layout.minimum === 'none') return product;
    return layout.minimum === 'block' ? product + m : product - m * mins[group];
  });
}

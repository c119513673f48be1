import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { describe, test } from 'node:test';
import { bits, codeWidth } from './codes.ts';
import { defineFormat } from './define.ts';
import { type FieldType, placeFields } from './fields.ts';
import { newBlock, viewBlocks } from './format.ts';
import { formats } from './formats.ts';

describe('fields', () => {
  test('follow each other without a gap', () => {
    const types: Record<string, FieldType> = { d: 'F16', wide: 'F32', qs: 5, m: 'BF16' };
    const offsets = Object.values(placeFields(types)).map(({ offset, bytes }) => [offset, bytes]);
    assert.deepEqual(offsets, [[0, 2], [2, 4], [6, 5], [11, 2]]); // biome-ignore format: a list
  });

  for (const format of Object.values(formats)) {
    test(`of ${format.name} cover its block`, () => {
      let end = 0;
      for (const { offset, bytes } of Object.values(format.fields)) {
        assert.equal(offset, end);
        end += bytes;
      }
      assert.equal(end, format.blockBytes);
    });

    const { weights, parts, minimum } = format.integers ?? {};
    if (!weights || !('bits' in weights)) continue;
    test(`of ${format.name} hold as many bits as its codes need`, () => {
      for (const { field, width } of weights.bits)
        assert.equal(format.fields[field]?.bytes, (format.blockSize * width) / 8, field);
      if (!parts || 'slots' in parts) return;
      const partCount = (format.blockSize / parts.size) * (minimum ? 2 : 1);
      for (const { field, width } of parts.bits)
        assert.equal(format.fields[field]?.bytes, (partCount * width) / 8, field);
    });
  }
});

test('every format has a file of its name', () => {
  const files = new Set(readdirSync(import.meta.dirname));
  for (const name of Object.keys(formats)) assert.ok(files.has(`${name.toLowerCase()}.ts`), name);
});

test('codes: lanes beside each other, low bits before high ones, then what a code stands for', () => {
  const weights = { bits: [bits('low', 4, 16), bits('high', 1, 1)], subtract: 16 } as const;
  const format = defineFormat({
    name: 'Q5_9',
    id: 1000,
    blockSize: 32,
    fields: { low: 16, high: 4, d: 'F16' },
    weights,
    scale: 'd',
  });
  assert.equal(codeWidth(weights), 5);
  const bytes = new Uint8Array(22);
  bytes[3] = 0xa5; // code 3 is 5, code 19 is 10
  bytes[16 + 2] = 1 << 3; // and code 19 has its fifth bit
  const block = newBlock(32);
  format.integers?.unpack(viewBlocks(bytes), 0, block);
  assert.deepEqual([block.ints[3], block.ints[19], block.ints[0]], [5 - 16, 10, -16]);
});

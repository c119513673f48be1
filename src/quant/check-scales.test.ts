import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { checkScales } from './check-scales.ts';
import type { Scales } from './fields.ts';
import { formats } from './formats.ts';
import { setHalfNibbles } from './nibbles.ts';
import type { QuantType } from './types.ts';

/** Puts what is no finite number in the place of a scale. */
const poisons: Readonly<Record<Scales['kind'], readonly ((view: DataView, at: number) => void)[]>> = {
  F16: [0x7c00, 0xfc00, 0x7e00, 0x7c01].map(bits => (view, at) => view.setUint16(at, bits, true)),
  BF16: [0x7f80, 0xff80, 0x7fc0, 0xff81].map(bits => (view, at) => view.setUint16(at, bits, true)),
  F32: [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN].map(
    value => (view, at) => view.setFloat32(at, value, true),
  ),
  E8M0: [(view, at) => view.setUint8(at, 0xff)],
  UE4M3: [0x7f, 0xff].map(byte => (view, at) => view.setUint8(at, byte)),
  F16x4: [Number.POSITIVE_INFINITY, Number.NaN].map(value => (view, at) => setHalfNibbles(view, at, value)),
};

const blocks = 3;

describe('a scale that is infinite or NaN is refused, with the tensor and where it stands', () => {
  for (const name of Object.keys(formats) as QuantType[]) {
    const { blockBytes, scales } = formats[name];
    test(name, () => {
      const bytes = new Uint8Array(blocks * blockBytes);
      assert.doesNotThrow(() => checkScales('blk.0.ffn_up.weight', name, bytes));
      for (const offset of scales.offsets) {
        for (const poison of poisons[scales.kind]) {
          for (let block = 0; block < blocks; block++) {
            const poisoned = Uint8Array.from(bytes);
            poison(new DataView(poisoned.buffer), block * blockBytes + offset);
            assert.throws(
              () => checkScales('blk.0.ffn_up.weight', name, poisoned),
              (error: Error & { code: string }) => {
                assert.equal(error.code, 'model_invalid');
                const found =
                  /tensor blk\.0\.ffn_up\.weight \((\w+)\) holds an infinite scale or NaN at byte (\d+)/.exec(
                    error.message,
                  );
                assert.equal(found?.[1], name);
                const at = Number(found?.[2]);
                assert.ok(Math.floor(at / blockBytes) === block, `byte ${at} of ${name}`);
                return true;
              },
            );
          }
        }
      }
    });
  }

  test('every number that is finite passes', () => {
    for (const name of Object.keys(formats) as QuantType[]) {
      const { blockBytes, scales } = formats[name];
      if (scales.kind !== 'F16') continue;
      for (const bits of [0x7bff, 0xfbff, 1, 0x8001, 0x0400]) {
        const bytes = new Uint8Array(blockBytes);
        for (const offset of scales.offsets) new DataView(bytes.buffer).setUint16(offset, bits, true);
        assert.doesNotThrow(() => checkScales('x', name, bytes));
      }
    }
  });
});

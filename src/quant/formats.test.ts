import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { RealmError } from '../errors.ts';
import { byteLength, formatOf, formats } from './formats.ts';
import { ggmlTypeNames } from './ggml-types.ts';

/** Encoded blocks and the values that llama.cpp's Python package gives for them; scripts/quant-vectors.py makes the files. */
function vectors(name: string) {
  const file = readFileSync(new URL(`../../test/fixtures/quant/${name.toLowerCase()}.bin`, import.meta.url));
  const count = file.readUInt32LE(0);
  const expected = new Uint32Array(Uint8Array.from(file.subarray(file.length - 4 * count)).buffer);
  return { count, encoded: file.subarray(4, file.length - 4 * count), expected };
}

describe('decoders agree with llama.cpp bit for bit', () => {
  for (const format of Object.values(formats)) {
    test(format.name, () => {
      const { count, encoded, expected } = vectors(format.name);
      assert.ok(count >= 1024);
      assert.equal(encoded.length, byteLength(format.name, count));
      const target = new Float32Array(count);
      format.decode(encoded, target, count);
      assert.deepEqual(new Uint32Array(target.buffer), expected);
    });

    test(`${format.name} from shared memory, at an odd offset, in part`, () => {
      const { count, encoded } = vectors(format.name);
      const whole = new Float32Array(count);
      format.decode(encoded, whole, count);
      const shared = new Uint8Array(new SharedArrayBuffer(encoded.length + 1), 1);
      shared.set(encoded);
      const target = new Float32Array(new SharedArrayBuffer(4 * count), 4, count - 1);
      format.decode(shared, target, format.blockSize);
      assert.deepEqual(target.slice(0, format.blockSize), whole.slice(0, format.blockSize));
      assert.ok(target.slice(format.blockSize).every(x => x === 0));
    });

    test(`${format.name} refuses what does not fit`, () => {
      const { blockSize, blockBytes } = format;
      const refused = { code: 'internal_error' };
      assert.throws(
        () => format.decode(new Uint8Array(blockBytes - 1), new Float32Array(blockSize), blockSize),
        refused,
      );
      assert.throws(
        () => format.decode(new Uint8Array(blockBytes), new Float32Array(blockSize - 1), blockSize),
        refused,
      );
      assert.throws(
        () => format.decode(new Uint8Array(blockBytes), new Float32Array(blockSize), blockSize / 2),
        refused,
      );
    });
  }
});

describe('formatOf', () => {
  test('finds every format by its number, under the name ggml gives it', () => {
    for (const format of Object.values(formats)) {
      assert.equal(formatOf(format.id), format);
      assert.equal(ggmlTypeNames.get(format.id), format.name);
    }
  });

  test('refuses other types by name', () => {
    assert.throws(() => formatOf(9), { code: 'gguf_type_unknown', message: /Q8_1 \(9\) is not supported/ });
    assert.throws(() => formatOf(4), { code: 'gguf_type_unknown', message: /Q4_2/ });
    assert.throws(() => formatOf(4096), { code: 'gguf_type_unknown', message: /type 4096 is not known/ });
    assert.throws(() => formatOf(-1), RealmError);
  });
});

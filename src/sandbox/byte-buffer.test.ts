import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ByteBuffer } from './byte-buffer.ts';

test('what is taken is what was appended since the last time', () => {
  fc.assert(
    fc.property(fc.array(fc.array(fc.uint8Array({ maxLength: 700 }))), rounds => {
      const buffer = new ByteBuffer();
      for (const pieces of rounds) {
        for (const piece of pieces) buffer.append(piece);
        assert.deepEqual(Buffer.from(buffer.take()), Buffer.concat(pieces));
      }
    }),
  );
});

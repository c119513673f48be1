import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decode, encode } from './codec.ts';

const leaf = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
  fc.bigInt(),
  fc.array(fc.integer(), { maxLength: 40 }),
  fc.array(fc.oneof(fc.integer(), fc.double()), { maxLength: 40 }),
  fc.uint8Array(),
  fc.int32Array(),
  fc.uint32Array(),
  fc.float32Array(),
  fc.float64Array(),
);
const { value } = fc.letrec(tie => ({
  value: fc.oneof({ depthSize: 'small' }, leaf, tie('list'), tie('map'), tie('object')),
  list: fc.array(tie('value')),
  map: fc.array(fc.tuple(tie('value'), tie('value'))).map(entries => new Map(entries)),
  object: fc.dictionary(fc.oneof(fc.string(), fc.constantFrom('$', 'at', 'entries')), tie('value'), {
    noNullPrototype: true,
  }),
}));

test('what is written comes back as it was', () => {
  fc.assert(fc.property(value, message => assert.deepEqual(decode(encode(message)), message)));
});

test('a Buffer comes back as bytes, and what is undefined is left out', () => {
  const bytes = Uint8Array.of(1, 2, 255);
  assert.deepEqual(decode(encode({ key: Buffer.from(bytes), none: undefined })), { key: bytes });
});

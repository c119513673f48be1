import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { shortText } from './cursor.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encode = (text: string) => new TextEncoder().encode(text);

test('short texts of one- and two-byte characters are read without a decoder', () => {
  for (const text of ['', 'the', 'Ġthe', 'ĠĠ', 'né', '\0', '\u07ff'])
    assert.equal(shortText(encode(text), 0, encode(text).length), text);
  assert.equal(shortText(encode('aĠbc'), 1, 4), 'Ġb');
});

test('what it reads a decoder reads the same, and it reads nothing that one refuses', () => {
  const near = fc.constantFrom(0x41, 0x7f, 0x80, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xc4, 0xdf, 0xe0, 0xef, 0xff);
  fc.assert(
    fc.property(fc.array(fc.oneof(near, fc.nat(255)), { maxLength: 6 }), fc.nat(2), (list, cut) => {
      const bytes = Uint8Array.from(list);
      const end = Math.max(0, bytes.length - cut);
      const text = shortText(bytes, 0, end);
      if (text !== undefined) assert.equal(text, utf8.decode(bytes.subarray(0, end)));
    }),
    { numRuns: 2000 },
  );
});

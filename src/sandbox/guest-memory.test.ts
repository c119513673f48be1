import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { GuestMemory, writeText } from './guest-memory.ts';

const SIZE = 65_536;
const memory = new GuestMemory(new WebAssembly.Memory({ initial: 1, maximum: 2 }));
const i32 = fc.oneof(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), fc.integer({ min: SIZE - 10, max: SIZE + 10 }));

test('a view exists exactly where all of its bytes lie inside', () => {
  fc.assert(
    fc.property(i32, i32, (address, length) => {
      const inside = (address >>> 0) + (length >>> 0) <= SIZE;
      assert.equal(memory.bytes(address, length)?.length, inside ? length >>> 0 : undefined);
      assert.equal(memory.view(address, length)?.byteLength, inside ? length >>> 0 : undefined);
      assert.equal(typeof memory.text(address, length) === 'string', inside);
    }),
  );
});

test('words are read at any address, and never beyond the end', () => {
  memory.bytes(101, 8)!.set([1, 0, 0, 0, 255, 255, 255, 255]);
  assert.deepEqual(memory.words(101, 2), [1, 2 ** 32 - 1]);
  assert.equal(memory.words(SIZE - 7, 2), undefined);
  assert.deepEqual(memory.words(SIZE, 0), []);
});

test('broken UTF-8 reads as U+FFFD, and a byte order mark is text', () => {
  memory.bytes(0, 6)!.set([0xef, 0xbb, 0xbf, 0x61, 0xff, 0xc3]);
  assert.equal(memory.text(0, 6), '\ufeffa\ufffd\ufffd');
});

test('memory grows to its maximum and then answers undefined', () => {
  const small = new GuestMemory(new WebAssembly.Memory({ initial: 1, maximum: 2 }));
  assert.equal(small.grow(1), 1);
  assert.equal(small.byteLength, 2 * SIZE);
  assert.equal(small.grow(1), undefined);
});

test('a text is cut between characters', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.nat(20), (text, room) => {
      const target = new Uint8Array(room);
      const written = writeText(text, target);
      const read = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(target.subarray(0, written));
      assert.ok(text.startsWith(read));
    }),
  );
});

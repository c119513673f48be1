import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Meta } from './meta.ts';
import type { GgufValue } from './types.ts';

const meta = new Meta(
  new Map<string, GgufValue>([
    ['n', 3],
    ['half', 0.5],
    ['nan', Number.NaN],
    ['huge', 2n ** 60n],
    ['text', 'hello'],
    ['yes', true],
    ['words', ['a', 'b']],
    ['mixed', [['a'], ['b']]],
    ['heads', Uint32Array.of(4, 8)],
    ['long', BigInt64Array.of(-1n, 7n)],
    ['too long', BigUint64Array.of(2n ** 63n)],
  ]),
  'model.gguf',
);

const invalid = (param: string, message: RegExp) => ({ code: 'model_invalid', param, message });

describe('Meta', () => {
  test('gives values of the type that is asked for', () => {
    assert.equal(meta.number('n', { integer: true, min: 3, max: 3 }), 3);
    assert.equal(meta.number('half'), 0.5);
    assert.equal(meta.string('text'), 'hello');
    assert.equal(meta.boolean('yes'), true);
    assert.deepEqual(meta.strings('words', 2), ['a', 'b']);
    assert.deepEqual(meta.numbers('heads'), Uint32Array.of(4, 8));
    assert.deepEqual(meta.numbers('long', { integer: true }), [-1, 7]);
  });

  test('gives undefined for what is missing when asked with maybe', () => {
    assert.equal(meta.maybeNumber('x'), undefined);
    assert.equal(meta.maybeString('x'), undefined);
    assert.equal(meta.maybeBoolean('x'), undefined);
    assert.equal(meta.maybeStrings('x'), undefined);
    assert.equal(meta.maybeNumbers('x'), undefined);
    assert.equal(meta.has('x'), false);
  });

  test('gives one number or an array as one per layer', () => {
    assert.deepEqual(meta.perLayer('n', 2), [3, 3]);
    assert.deepEqual(meta.perLayer('heads', 2, { integer: true }), [4, 8]);
    assert.throws(() => meta.perLayer('heads', 3), invalid('heads', /has 2 elements and must have 3/));
    assert.throws(() => meta.perLayer('heads', 2, { max: 7 }), invalid('heads', /is 8 and must be at most 7/));
  });

  test('refuses what is missing, by its key', () => {
    for (const read of ['number', 'string', 'boolean', 'strings', 'numbers'] as const) {
      assert.throws(() => meta[read]('x'), invalid('x', /^model\.gguf: "x" is missing$/));
    }
    assert.throws(() => meta.perLayer('x', 2), invalid('x', /is missing/));
  });

  test('refuses other types and values out of bounds, by their key', () => {
    assert.throws(() => meta.number('text'), invalid('text', /must be a number/));
    assert.throws(() => meta.number('nan'), invalid('nan', /must be finite/));
    assert.throws(() => meta.number('huge'), invalid('huge', /too large/));
    assert.throws(() => meta.number('half', { integer: true }), invalid('half', /must be an integer/));
    assert.throws(() => meta.number('n', { min: 4 }), invalid('n', /must be at least 4/));
    assert.throws(() => meta.number('n', { min: 0, max: 2 }), invalid('n', /must be from 0 to 2/));
    assert.throws(() => meta.string('n'), invalid('n', /must be a string/));
    assert.throws(() => meta.boolean('n'), invalid('n', /true or false/));
    assert.throws(() => meta.strings('mixed'), invalid('mixed', /array of strings/));
    assert.throws(() => meta.strings('words', 3), invalid('words', /must have 3/));
    assert.throws(() => meta.numbers('words'), invalid('words', /array of numbers/));
    assert.throws(() => meta.numbers('too long', { integer: true }), invalid('too long', /integer/));
  });

  test('keeps control characters out of messages', () => {
    assert.throws(() => new Meta(new Map(), 'a\nb').string('\u001b[2J'), {
      message: 'a\\u{a}b: "\\u{1b}[2J" is missing',
    });
  });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { StopStrings } from './stop-strings.ts';

function read(pieces: readonly string[], stops: readonly string[]): { text: string; stopped: boolean } {
  const filter = new StopStrings(stops);
  let text = '';
  for (const piece of pieces) {
    text += filter.push(piece);
    if (filter.stopped) return { text, stopped: true };
  }
  return { text: text + filter.end(), stopped: false };
}

const pieces = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 4 }), { maxLength: 20 });
const stops = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 4 }), {
  maxLength: 3,
});

test('however a text is cut into pieces, it ends at the same place', () => {
  fc.assert(
    fc.property(pieces, stops, (cut, list) => {
      assert.deepEqual(read(cut, list), read([...cut.join('')], list));
    }),
  );
});

test('the text is whole without a stop string, and ends before the first one with it', () => {
  fc.assert(
    fc.property(pieces, stops, (cut, list) => {
      const whole = cut.join('');
      const { text, stopped } = read(cut, list);
      assert.equal(
        stopped,
        list.some(stop => whole.includes(stop)),
      );
      assert.ok(list.every(stop => !text.includes(stop)));
      if (stopped) assert.ok(list.some(stop => whole.startsWith(text + stop)));
      else assert.equal(text, whole);
    }),
  );
});

test('what may become a stop string is held back until it is decided', () => {
  const filter = new StopStrings(['</end>']);
  assert.equal(filter.push('so</e'), 'so');
  assert.equal(filter.push('m></'), '</em>');
  assert.equal(filter.push('end'), '');
  assert.equal(filter.push('> and more'), '');
  assert.ok(filter.stopped);
  assert.equal(filter.end(), '');
});

test('the longest of the strings that end together counts, and empty ones never', () => {
  assert.deepEqual(read(['xab'], ['b', 'ab', '']), { text: 'x', stopped: true });
});

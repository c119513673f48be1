import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { StopStrings } from './stop-strings.ts';

test('however a text is cut, it ends before the first stop string', () => {
  const letters = fc.array(fc.constantFrom('a', 'b', 'c', ''), { maxLength: 30 });
  const stops = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 4 }), {
    maxLength: 3,
  });
  fc.assert(
    fc.property(letters, stops, (pieces, list) => {
      const filter = new StopStrings(list);
      let out = '';
      let stopped = false;
      for (const piece of pieces) {
        const result = filter.push(piece);
        out += result.text;
        stopped = result.stopped;
        if (stopped) break;
      }
      out += filter.end();
      const whole = pieces.join('');
      // The earliest *completed* stop string decides, as the text would have been read letter by letter or in pieces.
      if (!stopped) assert.equal(out, whole);
      else assert.ok(list.some(stop => whole.startsWith(out + stop)));
      assert.ok(list.every(stop => !out.includes(stop)));
    }),
  );
});

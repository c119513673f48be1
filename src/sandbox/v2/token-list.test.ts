import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { TokenList } from './token-list.ts';

test('lists that share memory are as lists of their own', () => {
  const step = fc.record({
    at: fc.nat(9),
    what: fc.constantFrom('append', 'truncate', 'copy', 'release'),
    tokens: fc.array(fc.nat(99), { maxLength: 70 }),
    length: fc.nat(80),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), steps => {
      const lists = [{ list: new TokenList(), plain: [] as number[] }];
      for (const { at, what, tokens, length } of steps) {
        const each = lists[at % lists.length]!;
        if (what === 'append') {
          each.list.append(tokens);
          each.plain.push(...tokens);
        } else if (what === 'truncate') {
          each.list.truncate(length);
          each.plain.length = Math.min(each.plain.length, length);
        } else if (what === 'copy') lists.push({ list: each.list.copy(), plain: [...each.plain] });
        else if (lists.length > 1) {
          each.list.release();
          lists.splice(lists.indexOf(each), 1);
        }
        for (const { list, plain } of lists) assert.deepEqual([...list.slice()], plain);
      }
    }),
  );
});

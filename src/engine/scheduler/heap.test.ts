import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Heap } from './heap.ts';

interface Item {
  key: number;
}

const commands = fc.array(fc.tuple(fc.constantFrom('add', 'pop', 'remove', 'change'), fc.nat(9), fc.nat(99)), {
  maxLength: 100,
});

test('whatever is added, removed and changed, the first is a least one', () => {
  fc.assert(
    fc.property(commands, list => {
      const heap = new Heap<Item>((a, b) => a.key < b.key);
      const items: Item[] = [];
      for (const [command, which, key] of list) {
        const item = items[which % Math.max(1, items.length)];
        if (command === 'add') {
          items.push({ key });
          heap.add(items.at(-1)!);
        } else if (item && command === 'change') {
          item.key = key;
          heap.update(item);
        } else if (item) {
          const gone = command === 'pop' ? heap.first()! : item;
          heap.remove(gone);
          items.splice(items.indexOf(gone), 1);
          assert.ok(!heap.has(gone));
        }
        assert.equal(heap.size, items.length);
        assert.equal(heap.first()?.key, items.length > 0 ? Math.min(...items.map(each => each.key)) : undefined);
        assert.ok(items.every(each => heap.has(each)));
      }
    }),
  );
});

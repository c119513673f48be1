import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { layout } from '../../parity/data.ts';
import { reachOf } from '../../reference/attention.ts';
import { pageLayout } from '../page-layout.ts';
import { geometriesOf } from './geometry.ts';
import { combineWords, itemWords, type Plan, type PlanOptions, planOf, wholeTile } from './plan.ts';
import { sightOf } from './sight.ts';

const pages = Int32Array.from({ length: 40 }, (_, i) => 39 - i);
const span = fc.record({ position: fc.nat(1000), count: fc.integer({ min: 1, max: 70 }) });

test('every row sees its splits once, by way of slots that nothing else in the piece has', () => {
  fc.assert(
    fc.property(
      fc.array(span, { minLength: 1, maxLength: 5 }),
      fc.constantFrom(undefined, 100, 300),
      fc.boolean(),
      fc.constantFrom(0, 20, 1000),
      fc.constantFrom(0, 1000),
      fc.constantFrom(1, 60, 10_000),
      (spans, window, twoWay, splitBelow, shareFrom, slots) => {
        const batch = layout(spans.map(each => ({ ...each, pages })));
        const geometries = geometriesOf(pageLayout({ kvHeads: 2, headDim: 64 }, 'F16'), 3, 32 << 10);
        const sight = sightOf({ window, twoWay });
        const options = { sight, splitBelow, shareFrom, slots, kvHeads: 2, geometries };
        const rows = rowsOf(planOf(batch, options), options);
        for (const segment of batch.segments)
          for (let i = 0; i < segment.count; i++) {
            const { from, to } = reachOf(segment, i, { heads: 1, scale: 1, window, twoWay });
            const { splits, position: told } = rows.get(segment.start + i)!;
            assert.equal(told, segment.position + i);
            for (let split = Math.floor(from / 256); split <= Math.floor(to / 256); split++)
              assert.ok(splits.includes(split));
            assert.deepEqual(
              splits,
              [...new Set(splits)].sort((a, b) => a - b),
            );
          }
        assert.equal(rows.size, batch.tokens);
      },
    ),
  );
});

interface Row {
  readonly position: number;
  readonly splits: readonly number[];
}

/** What the plan's items and combinations come to. */
function rowsOf({ words, pieces, slots }: Plan, options: PlanOptions): Map<number, Row> {
  const rows = new Map<number, Row>();
  const add = (row: number, found: Row) => {
    assert.ok(!rows.has(row));
    rows.set(row, found);
  };
  for (const piece of pieces) {
    const partial = new Map<number, { row: number; position: number; split: number }>();
    for (let i = 0; i < piece.itemCount; i++) {
      const [row, count, position, at, split, slot, end] = words.subarray(
        piece.items + itemWords * i,
      ) as unknown as number[];
      assert.ok(count! <= options.geometries[piece.kind].rows);
      const last = Math.min(end!, position! + count! - 1 + options.sight.ahead);
      for (let r = 0; r < count!; r++) {
        const [own, here] = [row! + r, position! + r];
        assert.equal(words[at! + Math.floor(here / 32)], pages[Math.floor(here / 32)]);
        const all = Array.from({ length: Math.floor(last / 256) + 1 }, (_, each) => each);
        if (split === wholeTile) add(own, { position: here, splits: all });
        else {
          assert.ok(!partial.has(slot! + r) && slot! + r < slots);
          partial.set(slot! + r, { row: own, position: here, split: split! });
        }
      }
    }
    for (let i = 0; i < piece.combineCount; i++) {
      const [row, first, step, count] = words.subarray(piece.combine + combineWords * i) as unknown as number[];
      const found = Array.from({ length: count! }, (_, split) => partial.get(first! + split * step!)!);
      assert.ok(found.every(each => each.row === row));
      add(row!, { position: found[0]!.position, splits: found.map(({ split }) => split) });
    }
  }
  return rows;
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openStore } from '../store/open.ts';
import { FuelBook } from './fuel-book.ts';
import { UsageReports } from './reports.ts';

const owner = { tenant: 'acme', key_id: 'key_1', model: 'small', adapter: '' };

test('fuel is summed by day, tenant, key and model, beside what calls have used', async () => {
  const store = await openStore('memory');
  let now = Date.parse('2026-03-01T23:59:59Z');
  const book = new FuelBook(store.db, () => now);
  book.note(owner, 5);
  await book.write();
  book.note(owner, 7);
  book.note({ ...owner, tenant: 'other' }, 1);
  now += 2_000;
  book.note(owner, 100);
  book.note(owner, 0);
  await book.close();
  const rows = await new UsageReports(store).by(['tenant', 'day'], {});
  const sums = rows.map(({ tenant, day, fuel, calls, cost }) => ({ tenant, day, fuel, calls, cost }));
  assert.deepEqual(sums, [
    { tenant: 'acme', day: '2026-03-01', fuel: 12, calls: 0, cost: 0 },
    { tenant: 'acme', day: '2026-03-02', fuel: 100, calls: 0, cost: 0 },
    { tenant: 'other', day: '2026-03-01', fuel: 1, calls: 0, cost: 0 },
  ]);
  await store.close();
});

test('what a store does not take is written later', async () => {
  const store = await openStore('memory');
  const book = new FuelBook(store.db);
  const { db } = store;
  const transaction = db.transaction.bind(db);
  let gone = true;
  db.transaction = () => {
    if (gone) throw new Error('gone');
    return transaction();
  };
  book.note(owner, 3);
  await assert.rejects(book.write(), /gone/);
  book.note(owner, 4);
  gone = false;
  await book.close();
  const [line] = await new UsageReports(store).by([], {});
  assert.equal(line?.fuel, 7);
  await store.close();
});

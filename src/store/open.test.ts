import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openStore } from './open.ts';

const folder = await mkdtemp(join(tmpdir(), 'realm-store-'));
after(() => rm(folder, { recursive: true }));

test('what a transaction wrote is there after the store was opened again, what failed is not', async () => {
  const path = join(folder, 'realm.db');
  const store = await openStore(path, { lock: true });
  await store.db
    .insertInto('replicas')
    .values({ id: 'a', seen_at: 2 ** 52 })
    .execute();
  const failing = store.db.transaction().execute(async trx => {
    await trx.updateTable('replicas').set({ seen_at: 1 }).execute();
    throw new Error('no');
  });
  await assert.rejects(failing, /^Error: no$/);
  await store.close();
  const again = await openStore(path);
  assert.deepEqual(
    (await again.db.selectFrom('replicas').selectAll().execute()).map(row => ({ ...row })),
    [{ id: 'a', seen_at: 2 ** 52 }],
  );
  await again.close();
});

test('a second server on the same file is refused; programs that only look are not', async () => {
  const path = join(folder, 'shared.db');
  const server = await openStore(path, { lock: true });
  await assert.rejects(openStore(path, { lock: true }), { code: 'store_locked' });
  const reader = await openStore(path);
  await server.db.insertInto('replicas').values({ id: 'b', seen_at: 1 }).execute();
  assert.equal((await reader.db.selectFrom('replicas').selectAll().execute()).length, 1);
  await reader.close();
  await server.close();
  await (await openStore(path, { lock: true })).close();
});

test('a store that cannot be opened, a query that is wrong and a store that was closed say so', async () => {
  await assert.rejects(openStore(join(folder, 'nowhere', 'x.db')), { code: 'store_unavailable' });
  const store = await openStore('memory');
  await store.db.insertInto('replicas').values({ id: 'a', seen_at: 1 }).execute();
  const twice = store.db.insertInto('replicas').values({ id: 'a', seen_at: 1 });
  await assert.rejects(twice.execute(), /UNIQUE/);
  await store.close();
  await assert.rejects(store.db.selectFrom('replicas').selectAll().execute());
});

test('a transaction may be empty, fail at its first statement, or want a right that another has', async () => {
  const path = join(folder, 'transactions.db');
  const [store, other] = [await openStore(path), await openStore(path)];
  const add = (id: string) => ({ id, seen_at: 1 });
  await store.db.transaction().execute(async () => {});
  await assert.rejects(
    store.db.transaction().execute(async () => Promise.reject(new Error('no'))),
    /^Error: no$/,
  );
  await store.db.insertInto('replicas').values(add('a')).execute();
  const failing = store.db.transaction().execute(async trx => {
    await trx.insertInto('replicas').values(add('a')).execute();
  });
  await assert.rejects(failing, /UNIQUE/);
  await store.db.transaction().execute(async trx => {
    await trx.insertInto('replicas').values(add('b')).execute();
    const late = other.db.transaction().execute(async trx => trx.insertInto('replicas').values(add('c')).execute());
    await assert.rejects(late, { code: 'store_locked' });
  });
  await other.db.transaction().execute(async trx => trx.insertInto('replicas').values(add('c')).execute());
  assert.equal((await store.db.selectFrom('replicas').selectAll().execute()).length, 3);
  await store.close();
  await other.close();
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openStore } from '../../src/store/open.ts';
import { noPostgres, startPostgres } from '../support/postgres.ts';

test('servers that start at once bring the tables up to date once', { skip: noPostgres }, async () => {
  const postgres = await startPostgres();
  try {
    const stores = await Promise.all([1, 2, 3].map(() => openStore(postgres.url, { lock: true })));
    await stores[0]!.db
      .insertInto('replicas')
      .values({ id: 'a', seen_at: 2 ** 52 })
      .execute();
    const rows = await stores[2]!.db.selectFrom('replicas').selectAll().execute();
    assert.deepEqual(rows, [{ id: 'a', seen_at: 2 ** 52 }]);
    // A transaction that is under way fails, and nothing else does.
    const begun = Promise.withResolvers<void>();
    const cut = stores[0]!.db.transaction().execute(async trx => {
      await trx.selectFrom('replicas').selectAll().execute();
      begun.resolve();
      await sleep(500);
      await trx.selectFrom('replicas').selectAll().execute();
    });
    cut.catch(() => {});
    await begun.promise;
    await postgres.kill();
    await assert.rejects(cut);
    const ask = () => stores[1]!.db.selectFrom('replicas').selectAll().execute();
    for (let i = 0; i < 3; i++) await assert.rejects(ask(), { code: 'store_unavailable' });
    await postgres.start();
    assert.equal((await stores[0]!.db.selectFrom('replicas').selectAll().execute()).length, 1);
    await Promise.all(stores.map(store => store.close()));
  } finally {
    await postgres.close();
  }
});

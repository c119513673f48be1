import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ModelStore } from '../../src/server/model-store.ts';
import { openStore, type Store } from '../../src/store/open.ts';
import type { ModelDocument } from '../../src/tenancy/schema.ts';
import { noPostgres, startPostgres } from '../support/postgres.ts';

const named = (id: string) => ({ document: { id, catalog: 'smollm2-135m' } as ModelDocument, base: '/srv' });

async function numbersAreNeverUsedTwice(store: Store): Promise<void> {
  const models = new ModelStore(store);
  const numbers = [await models.add(named('a')), await models.add(named('b'))];
  await models.remove(numbers[1]!);
  const again = await models.add(named('b'));
  assert.deepEqual([...numbers, again], [1000, 1001, 1002]);
  await models.change({ ...named('c'), number: numbers[0]! });
  assert.deepEqual(await models.list(), [
    { ...named('c'), number: 1000 },
    { ...named('b'), number: 1002 },
  ]);
}

describe('models that were added', () => {
  test('in SQLite', async () => {
    const store = await openStore('memory');
    await numbersAreNeverUsedTwice(store).finally(() => store.close());
  });

  test('in PostgreSQL', { skip: noPostgres }, async () => {
    const postgres = await startPostgres();
    const store = await openStore(postgres.url);
    try {
      await numbersAreNeverUsedTwice(store);
    } finally {
      await store.close();
      await postgres.close();
    }
  });
});

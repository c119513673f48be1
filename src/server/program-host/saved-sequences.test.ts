import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { RealmError } from '../../errors.ts';
import { openStore, type Store } from '../../store/open.ts';
import { AuditLog } from '../../tenancy/audit.ts';
import { TenantStore } from '../../tenancy/tenant-store.ts';
import { StoredSequences } from './saved-sequences.ts';

let store: Store;
let now = 1_000_000;
let saved: StoredSequences;
const limits = { sequences: 2, bytes: 1000 };
const place = { tenant: 'a', model: 'm', key: 'k' };
const sequence = { tokens: Uint32Array.of(1, 2, 70_000), answered: 1, paid: 2, adapter: 'legal' };

before(async () => {
  store = await openStore('memory');
  saved = new StoredSequences(store, () => now);
});

after(() => store.close());

test('what is saved is opened as it was, by its tenant and for its model alone', async () => {
  await saved.save(place, sequence, 60, limits);
  assert.deepEqual(await saved.open(place), sequence);
  for (const other of [{ tenant: 'b' }, { model: 'n' }, { key: 'l' }])
    assert.equal(await saved.open({ ...place, ...other }), undefined);
  await saved.save(place, { ...sequence, adapter: undefined, tokens: Uint32Array.of(5) }, 60, limits);
  assert.deepEqual((await saved.open(place))?.tokens, Uint32Array.of(5), 'in its place');
  assert.deepEqual(await saved.state('a'), { sequences: 1, bytes: 5 });
});

test('a quota holds, and what has expired leaves room', async () => {
  const refused = (error: unknown) => error instanceof RealmError && error.code === 'session_limit';
  await saved.save({ ...place, key: 'two' }, sequence, 10, limits);
  await assert.rejects(saved.save({ ...place, key: 'three' }, sequence, 10, limits), refused);
  await assert.rejects(saved.save(place, { ...sequence, tokens: new Uint32Array(250) }, 10, limits), refused);
  assert.ok(await saved.open(place), 'what was there stays');
  await saved.save({ ...place, tenant: 'b' }, sequence, 10, limits);
  now += 10_000;
  assert.equal(await saved.open({ ...place, key: 'two' }), undefined);
  await saved.save({ ...place, key: 'three' }, sequence, 10, limits);
});

test('they go with their tenant', async () => {
  const tenants = new TenantStore(store, new AuditLog(store));
  await tenants.createTenant('root', { id: 'gone' });
  await saved.save({ ...place, tenant: 'gone' }, sequence, 60, limits);
  await tenants.deleteTenant('root', 'gone', false);
  assert.equal(await saved.open({ ...place, tenant: 'gone' }), undefined);
  assert.deepEqual(await saved.state('gone'), { sequences: 0, bytes: 0 });
});

test('nothing is kept for longer than 30 days, nor under a strange key', async () => {
  await saved.save({ ...place, tenant: 'c' }, sequence, 1e12, limits);
  now += 30 * 86_400_000;
  assert.equal(await saved.open({ ...place, tenant: 'c' }), undefined);
  for (const key of ['', 'x'.repeat(257)]) await assert.rejects(saved.save({ ...place, key }, sequence, 1, limits));
});

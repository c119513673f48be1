/** Tenants and keys at run time: what one server or command does, all others know. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openStore, type Store } from '../../src/store/open.ts';
import { Administration } from '../../src/tenancy/administration.ts';
import { AuditLog } from '../../src/tenancy/audit.ts';
import { Directory, type FileEntries } from '../../src/tenancy/directory.ts';
import { createKey, keyIdOf } from '../../src/tenancy/keys.ts';
import { tenantDefaults } from '../../src/tenancy/tenants.ts';
import { at } from '../support/entries.ts';
import { noPostgres, startPostgres } from '../support/postgres.ts';
import { onBothStores } from '../support/stores.ts';

interface Replica {
  readonly store: Store;
  readonly directory: Directory;
  readonly administration: Administration;
  readonly cancelled: string[];
  close(): Promise<void>;
}

async function replica(place: string, file: FileEntries = {}, now?: () => number): Promise<Replica> {
  const store = await openStore(place);
  const directory = new Directory({ ...file, ...(now && { now }) });
  const cancelled: string[] = [];
  const events = { cancelled: (id: string) => cancelled.push(id), lost: () => {} };
  const administration = new Administration(store, directory, file, events);
  await administration.start();
  const close = async () => {
    await administration.close();
    await store.close();
  };
  return { store, directory, administration, cancelled, close };
}

/** Waits for what must come within a second; machines that are busy get more. */
async function soon(what: () => boolean): Promise<number> {
  const start = performance.now();
  while (!what()) {
    assert.ok(performance.now() - start < 10_000, 'it did not come');
    await sleep(10);
  }
  return performance.now() - start;
}

const tenantOf = ({ directory }: Replica, key: string, address?: string) => {
  try {
    return directory.authenticate(`Bearer ${key}`, address).tenant.id;
  } catch (error) {
    return (error as { code: string }).code;
  }
};

onBothStores('the administration', (_, { place }) => {
  test('what one creates, rotates and revokes, others know within a second; ends are told', async () => {
    const [one, two] = [await replica(await place('shared')), await replica(await place('shared'))];
    const operator = one.administration.operator('key_a');
    await operator.createTenant({ id: 'acme', weight: 2 });
    const { key, id } = await operator.createKey('acme', { name: 'ci' });
    assert.equal(tenantOf(one, key), 'acme');
    await soon(() => tenantOf(two, key) === 'acme');
    assert.equal(two.directory.tenant('acme')?.weight, 2);

    const next = await two.administration.operator('key_b').rotateKey('acme', id, 3600);
    assert.equal(tenantOf(two, key), 'acme');
    assert.equal(tenantOf(two, next.key), 'acme');
    await soon(() => tenantOf(one, next.key) === 'acme');
    assert.equal(tenantOf(one, key), 'acme');

    await two.administration.operator('key_b').revokeKey('acme', next.id, true);
    assert.equal(tenantOf(two, next.key), 'invalid_api_key');
    await soon(() => tenantOf(one, next.key) === 'invalid_api_key');
    assert.deepEqual([one.cancelled, two.cancelled], [[next.id], [next.id]]);

    await operator.updateTenant('acme', { disabled: true });
    assert.equal(tenantOf(one, key), 'invalid_api_key');
    await soon(() => tenantOf(two, key) === 'invalid_api_key');
    await operator.updateTenant('acme', { disabled: false, weight: null });
    assert.equal(tenantOf(one, key), 'acme');
    assert.equal(one.directory.tenant('acme')?.weight, undefined);
    await operator.deleteTenant('acme', true);
    await soon(() => tenantOf(two, key) === 'invalid_api_key');
    await soon(() => two.cancelled.includes(id));
    // The server had keys: without tenants it does not open itself to everybody.
    assert.equal(two.directory.open, false);
    await operator.createTenant({ id: 'acme' });
    assert.equal(tenantOf(one, key), 'invalid_api_key');
    const actions = (await operator.audit(0, 100)).map(({ actor, action }) => `${actor} ${action}`);
    assert.equal(actions[0], 'key_a tenant.created');
    assert.ok(actions.includes('key_b key.revoked'));
    await Promise.all([one.close(), two.close()]);
  });

  test('a server that starts later knows all, also more keys than are read at once', async () => {
    const one = await replica(await place('many'));
    await one.administration.operator('cli').createTenant({ id: 'acme' });
    const rows = Array.from({ length: 4500 }, (_, i) => {
      const { hash } = createKey('acme');
      const times = { created_at: 1, expires_at: null, revoked_at: null, last_used_at: null };
      return { id: `key_${i}`, tenant: 'acme', hash, document: '{}', cancels: 0, changed: 1 + (i % 2), ...times };
    });
    for (let i = 0; i < rows.length; i += 500)
      await one.store.db
        .insertInto('api_keys')
        .values(rows.slice(i, i + 500))
        .execute();
    const two = await replica(await place('many'));
    assert.equal(two.directory.keysOf('acme').length, 4500);
    await Promise.all([one.close(), two.close()]);
  });

  test('many changes at once, on two servers, are one chain; verify finds what was changed, removed or put in', async () => {
    const [one, two] = [await replica(await place('chain')), await replica(await place('chain'))];
    await one.administration.operator('a').createTenant({ id: 'acme' });
    const work = Array.from({ length: 40 }, (_, i) =>
      [one, two][i % 2]!.administration.operator('a').createKey('acme', { name: `k${i}` }),
    );
    await Promise.all(work);
    const audit = new AuditLog(one.store);
    assert.equal((await audit.verify()).entries, 41);
    const { db } = one.store;
    const seventh = await db.selectFrom('audit').selectAll().where('seq', '=', 7).executeTakeFirstOrThrow();
    const broken = (message: RegExp) => assert.rejects(audit.verify(), { code: 'audit_broken', message });

    await db.updateTable('audit').set({ actor: 'somebody' }).where('seq', '=', 7).execute();
    await broken(/entry 7 was changed/);
    await db.deleteFrom('audit').where('seq', '=', 7).execute();
    await broken(/entry 7 is missing/);
    await db.insertInto('audit').values(seventh).execute();
    await audit.verify();
    const { hash } = at(await audit.list({ after: 40 }), 0);
    await db
      .insertInto('audit')
      .values({ ...seventh, seq: 42, previous: hash })
      .execute();
    await broken(/entry 42 was changed or put in/);
    await db.deleteFrom('audit').where('seq', '>=', 41).execute();
    await broken(/entry 41 is missing/);
    await Promise.all([one.close(), two.close()]);
  });

  test('the file goes first, its tenants may have more keys, and neither can be changed here', async () => {
    const { key, hash } = createKey('acme');
    const file = { tenants: [{ id: 'acme', keys: [hash], ...tenantDefaults, weight: 5 }] };
    const one = await replica(await place('file'), file);
    const operator = one.administration.operator('a');
    await assert.rejects(operator.createTenant({ id: 'acme' }), { code: 'tenant_exists' });
    await assert.rejects(operator.updateTenant('acme', { weight: 1 }), { code: 'defined_in_file' });
    await assert.rejects(operator.deleteTenant('acme', false), { code: 'defined_in_file' });
    await assert.rejects(operator.revokeKey('acme', keyIdOf(hash), false), { code: 'defined_in_file' });
    await assert.rejects(operator.revokeKey('acme', 'key_aaaaaaaaaaaa', false), { code: 'key_not_found' });
    await assert.rejects(operator.revokeKey('\0', '\0', false), { code: 'key_not_found' });
    await assert.rejects(operator.tenant('\0'), { code: 'tenant_not_found' });
    await assert.rejects(operator.createKey('nobody', {}), { code: 'tenant_not_found' });
    const more = await operator.createKey('acme', {});
    assert.deepEqual([tenantOf(one, key), tenantOf(one, more.key)], ['acme', 'acme']);
    assert.equal(one.directory.authenticate(`Bearer ${more.key}`).tenant.weight, 5);
    assert.deepEqual(
      (await operator.keys('acme')).map(({ id, source }) => [id, source]),
      [
        [keyIdOf(hash), 'file'],
        [more.id, 'store'],
      ],
    );
    // What the file no longer names is gone, keys of the store too.
    one.administration.setFile({ tenants: [] });
    assert.deepEqual([tenantOf(one, key), tenantOf(one, more.key)], ['invalid_api_key', 'invalid_api_key']);
    await one.close();
  });

  test('keys expire, are held to their addresses, and say when they were last used', async () => {
    let now = Date.now();
    const one = await replica(await place('limits'), {}, () => now);
    const operator = one.administration.operator('a');
    await operator.createTenant({ id: 'acme' });
    const made = await operator.createKey('acme', { expires_at: now + 60_000, addresses: ['10.0.0.0/8', '::1'] });
    assert.equal(tenantOf(one, made.key, '10.1.2.3'), 'acme');
    assert.equal(tenantOf(one, made.key, '::ffff:10.1.2.3'), 'acme');
    assert.equal(tenantOf(one, made.key, '::1'), 'acme');
    for (const address of [undefined, '11.0.0.1', '::2'])
      assert.equal(tenantOf(one, made.key, address), 'permission_denied');
    await one.close();
    const two = await replica(await place('limits'), {}, () => now);
    const [known] = await two.administration.operator('a').keys('acme');
    assert.equal(known?.last_used_at, new Date(now).toISOString());
    now += 60_001;
    assert.equal(tenantOf(two, made.key, '10.1.2.3'), 'invalid_api_key');
    await two.close();
  });
});

test('without its database a server goes on with the keys that it knows, and changes nothing', {
  skip: noPostgres,
}, async () => {
  const postgres = await startPostgres();
  try {
    const one = await replica(postgres.url);
    const operator = one.administration.operator('a');
    await operator.createTenant({ id: 'acme' });
    const { key, id } = await operator.createKey('acme', {});
    await postgres.kill();
    assert.equal(tenantOf(one, key), 'acme');
    assert.equal(tenantOf(one, 'nobody'), 'invalid_api_key');
    await assert.rejects(operator.createKey('acme', {}), { code: 'store_unavailable' });
    await assert.rejects(operator.revokeKey('acme', id, false), { code: 'store_unavailable' });
    assert.equal(tenantOf(one, key), 'acme');
    await postgres.start();
    // A connection that broke may be noticed by the first query only.
    const revoke = () => operator.revokeKey('acme', id, false);
    await revoke().catch(revoke);
    assert.equal(tenantOf(one, key), 'invalid_api_key');
    const two = await replica(postgres.url);
    const { key: next } = await two.administration.operator('b').createKey('acme', {});
    // It listens again.
    await soon(() => tenantOf(one, next) === 'acme');
    await Promise.all([one.close(), two.close()]);
  } finally {
    await postgres.close();
  }
});

/** Programs that are uploaded: what one server or command does, all others know and run. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ProgramLibrary } from '../../src/programs/library.ts';
import { StoreProgramOperator } from '../../src/programs/operator.ts';
import { limits, ProgramStore } from '../../src/programs/program-store.ts';
import type { Program } from '../../src/sandbox/types.ts';
import { openStore } from '../../src/store/open.ts';
import { Administration } from '../../src/tenancy/administration.ts';
import { Directory } from '../../src/tenancy/directory.ts';
import { tenantDefaults } from '../../src/tenancy/tenants.ts';
import { passThrough, sandboxOf } from '../server/scripted.ts';
import { onBothStores } from '../support/stores.ts';

/** Programs are what was loaded: the digest is their text. */
function textSandbox() {
  const loads: string[] = [];
  return {
    ...sandboxOf(passThrough),
    loads,
    load: async (name: string, bytes: Uint8Array): Promise<Program> => {
      loads.push(name);
      return { name, digest: Buffer.from(bytes).toString(), trusted: false };
    },
  };
}

async function replica(place: string) {
  const store = await openStore(place);
  const directory = new Directory({ tenants: [{ id: 'filed', keys: [], ...tenantDefaults }] });
  const administration = new Administration(store, directory, {}, { cancelled: () => {}, lost: () => {} });
  const { audit, follower } = administration;
  const programs = new ProgramStore(store, audit, () => follower.changed());
  const sandbox = textSandbox();
  const library = new ProgramLibrary({ store: programs, follower, sandbox });
  await administration.start();
  const tenant = async (id: string) => administration.operator('key_a').tenant(id);
  const operator = new StoreProgramOperator({ actor: 'key_a', store: programs, sandbox, tenant });
  const close = async () => {
    await administration.close();
    await store.close();
  };
  /** The text of the program that answers. */
  const answer = async (id: string, named?: string) => {
    try {
      return (await library.of({ id, ...tenantDefaults }, named)).digest;
    } catch (error) {
      return (error as { code: string }).code;
    }
  };
  return { store, administration, audit, library, operator, sandbox, answer, close };
}

const module = (text: string) => ({ module: Buffer.from(text) });

async function soon(what: () => Promise<boolean>): Promise<void> {
  const start = performance.now();
  while (!(await what())) {
    assert.ok(performance.now() - start < 10_000, 'it did not come');
    await sleep(10);
  }
}

onBothStores('programs', (_, { place }) => {
  test('a new version answers at once, on other servers within seconds, and an earlier one again after a rollback', async () => {
    const [one, two] = [await replica(await place('shared')), await replica(await place('shared'))];
    const first = await one.operator.pushProgram(null, 'summary', { ...module('A'), note: 'the first' });
    assert.deepEqual(
      { ...first, created_at: '', versions: first.versions.length },
      {
        name: 'summary',
        tenant: null,
        version: 1,
        digest: '559aead08264d5795d3909718cdd05abd49572e84fe55590eef31a88a08fdffd',
        size: 1,
        note: 'the first',
        created_at: '',
        created_by: 'key_a',
        versions: 1,
      },
    );
    assert.equal(await one.answer('acme', 'summary'), 'A');
    await soon(async () => (await two.answer('acme', 'summary')) === 'A');
    // What has begun keeps its version.
    const begun = two.library.of({ id: 'acme', ...tenantDefaults }, 'summary');
    await two.operator.pushProgram(null, 'summary', module('B'));
    assert.equal((await begun).digest, 'A');
    assert.equal(await two.answer('acme', 'summary'), 'B');
    assert.equal(await two.answer('acme', 'summary@1'), 'A');
    await soon(async () => (await one.answer('acme', 'summary')) === 'B');
    await one.operator.rollbackProgram(null, 'summary', 1);
    assert.equal(await one.answer('acme', 'summary'), 'A');
    await soon(async () => (await two.answer('acme', 'summary')) === 'A');
    assert.equal(await two.answer('acme', 'summary@2'), 'B');

    await one.operator.deleteProgram(null, 'summary', 2);
    assert.equal(await one.answer('acme', 'summary@2'), 'program_not_found');
    await soon(async () => (await two.answer('acme', 'summary@2')) === 'program_not_found');
    await assert.rejects(one.operator.deleteProgram(null, 'summary', 1), { code: 'invalid_request', param: 'version' });
    await one.operator.deleteProgram(null, 'summary');
    assert.equal(await one.answer('acme', 'summary'), 'program_not_found');
    await soon(async () => (await two.answer('acme', 'summary')) === 'program_not_found');
    // A number is never another version's.
    assert.equal((await one.operator.pushProgram(null, 'summary', module('C'))).version, 3);
    const actions = (await one.audit.list()).map(({ action, target }) => `${action} ${target}`);
    assert.deepEqual(actions, [
      ...['program.uploaded summary', 'program.uploaded summary', 'program.rolled_back summary'],
      ...['program.deleted summary', 'program.deleted summary', 'program.uploaded summary'],
    ]);
    await Promise.all([one.close(), two.close()]);
  });

  test("a tenant's own program goes before the one for all, is nobody else's, and goes with its tenant", async () => {
    const { operator, administration, answer, close, store } = await replica(await place('owners'));
    const tenants = administration.operator('key_a');
    await tenants.createTenant({ id: 'acme' });
    await operator.pushProgram(null, 'summary', module('for all'));
    await operator.pushProgram('acme', 'summary', module('own'));
    await operator.pushProgram('acme', 'secret', module('secret'));
    assert.deepEqual([await answer('acme', 'summary'), await answer('other', 'summary')], ['own', 'for all']);
    assert.deepEqual(
      [await answer('acme', 'secret'), await answer('other', 'secret')],
      ['secret', 'program_not_found'],
    );
    // A version that its own has not is not the other's.
    await operator.pushProgram(null, 'summary', module('for all, again'));
    assert.deepEqual(
      [await answer('acme', 'summary@2'), await answer('other', 'summary@2')],
      ['program_not_found', 'for all, again'],
    );
    assert.deepEqual(
      (await operator.programs('acme')).map(({ name }) => name),
      ['secret', 'summary'],
    );
    const all = (await operator.programs('*')).map(({ tenant, name }) => [tenant, name]);
    assert.deepEqual(all, [
      [null, 'summary'],
      ['acme', 'secret'],
      ['acme', 'summary'],
    ]);
    await assert.rejects(operator.pushProgram('nobody', 'x', module('x')), { code: 'tenant_not_found' });
    await tenants.deleteTenant('acme', false);
    await tenants.createTenant({ id: 'acme' });
    assert.deepEqual(await operator.programs('acme'), []);
    assert.equal(await answer('acme', 'secret'), 'program_not_found');
    const left = await store.db.selectFrom('program_versions').select('owner').execute();
    assert.deepEqual(
      left.map(({ owner }) => owner),
      ['', ''],
    );
    await close();
  });

  test('names, and what is not there', async () => {
    const { operator, close } = await replica(await place('names'));
    for (const name of ['', 'a/b', 'a.wasm', 'a@2', 'ä', 'x'.repeat(65), 'a\0'])
      await assert.rejects(operator.pushProgram(null, name, module('x')), { code: 'invalid_request', param: 'name' });
    await assert.rejects(operator.pushProgram(null, 'default', module('x')), { code: 'program_exists' });
    await operator.pushProgram(null, 'a', module('x'), true);
    await assert.rejects(operator.pushProgram(null, 'a', module('x'), true), { code: 'program_exists' });
    for (const name of ['b', 'a\0', 'a@1']) {
      await assert.rejects(operator.program(null, name), { code: 'program_not_found' });
      await assert.rejects(operator.rollbackProgram(null, name, 1), { code: 'program_not_found' });
      await assert.rejects(operator.deleteProgram(null, name), { code: 'program_not_found' });
    }
    await assert.rejects(operator.rollbackProgram(null, 'a', 7), { code: 'program_not_found', message: /a@7/ });
    await assert.rejects(operator.deleteProgram(null, 'a', 7), { code: 'program_not_found' });
    await close();
  });

  test('the oldest versions go; there are only so many programs, and so many bytes', async t => {
    const { operator, close, answer } = await replica(await place('limits'));
    const before = { ...limits };
    Object.assign(limits, { programs: 2, versions: 3, bytes: 10 });
    t.after(() => Object.assign(limits, before));
    for (const text of ['1', '2', '3', '4']) await operator.pushProgram(null, 'a', module(text));
    assert.deepEqual(
      (await operator.program(null, 'a')).versions.map(({ version }) => version),
      [2, 3, 4],
    );
    await operator.pushProgram(null, 'b', module('1'));
    await assert.rejects(operator.pushProgram(null, 'c', module('1')), { code: 'program_limit' });
    await assert.rejects(operator.pushProgram(null, 'b', module('1234567')), { code: 'program_limit' });
    assert.equal((await operator.program(null, 'b')).version, 1);
    assert.equal(await answer('acme', 'c'), 'program_not_found');
    await operator.deleteProgram(null, 'a');
    await operator.pushProgram(null, 'c', module('1234567'));
    await close();
  });

  test('a module is read and checked once for all requests, and again when that failed', async () => {
    const { operator, library, sandbox, store, close } = await replica(await place('once'));
    await operator.pushProgram(null, 'a', module('A'));
    sandbox.loads.length = 0;
    const tenant = { id: 'acme', ...tenantDefaults };
    await Promise.all([library.of(tenant, 'a'), library.of(tenant, 'a'), library.of({ ...tenant, id: 'other' }, 'a')]);
    assert.deepEqual(sandbox.loads, ['a@1']);
    await operator.pushProgram(null, 'a', module('B'));
    // Deleted behind the directory's back.
    const { module: kept } = await store.db
      .selectFrom('program_versions')
      .select('module')
      .where('version', '=', 2)
      .executeTakeFirstOrThrow();
    await store.db.deleteFrom('program_versions').where('version', '=', 2).execute();
    await assert.rejects(async () => library.of(tenant, 'a'), { code: 'program_not_found' });
    assert.equal(Buffer.from(kept).toString(), 'B');
    await store.db
      .insertInto('program_versions')
      .values({
        owner: '',
        name: 'a',
        version: 2,
        digest: 'd',
        size: 1,
        note: null,
        created_at: 1,
        created_by: 'x',
        module: kept,
      })
      .execute();
    assert.equal((await library.of(tenant, 'a')).digest, 'B');
    await close();
  });
});

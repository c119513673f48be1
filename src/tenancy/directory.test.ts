import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { KeyTable, TenantTable } from '../store/schema.ts';
import { Directory } from './directory.ts';
import { createKey, hashKey } from './keys.ts';
import type { KeyDocument } from './operator-schema.ts';
import { mayUseModel, type Scope, tenantDefaults } from './tenants.ts';

const tenantRow = (id: string, fields: Partial<TenantTable> = {}): TenantTable => {
  return { id, document: '{}', disabled: 0, deleted: 0, created_at: 0, changed: 1, ...fields };
};

function keyRow(id: string, tenant: string, secret: string, { document = {}, ...fields }: KeyFields = {}): KeyTable {
  const times = { created_at: 0, expires_at: null, revoked_at: null, last_used_at: null, cancels: 0, changed: 1 };
  return { id, tenant, hash: hashKey(secret), ...times, ...fields, document: JSON.stringify(document) };
}

type KeyFields = Partial<Omit<KeyTable, 'document'>> & { document?: KeyDocument };

const codeOf = (action: () => unknown): string => {
  try {
    action();
    return 'passes';
  } catch (error) {
    return (error as { code: string }).code;
  }
};

const ids = fc.constantFrom('a', 'b', 'c');
const step = fc.oneof(
  fc.record({ kind: fc.constant('tenant' as const), id: ids, disabled: fc.boolean(), deleted: fc.boolean() }),
  fc.record({
    kind: fc.constant('key' as const),
    id: fc.constantFrom('1', '2', '3', '4'),
    tenant: ids,
    revoked: fc.boolean(),
    expires: fc.option(fc.integer({ min: 0, max: 20 })),
  }),
  fc.record({ kind: fc.constant('file' as const), tenants: fc.option(fc.uniqueArray(ids)) }),
  fc.record({ kind: fc.constant('time' as const), now: fc.integer({ min: 0, max: 20 }) }),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** What a directory is, without anything that makes it quick. */
class PlainList {
  now = 0;
  readonly #tenants = new Map<string, TenantTable>();
  readonly #keys = new Map<string, KeyTable>();
  #file: readonly string[] | null = null;

  get open(): boolean {
    return this.#file === null && this.#tenants.size + this.#keys.size === 0;
  }

  take(step: Step, directory: Directory): void {
    if (step.kind === 'time') this.now = step.now;
    else if (step.kind === 'tenant') {
      const row = tenantRow(step.id, { disabled: Number(step.disabled), deleted: Number(step.deleted) });
      this.#tenants.set(step.id, row);
      directory.applyTenants([row]);
    } else if (step.kind === 'key') {
      // A key stays its tenant's.
      const tenant = this.#keys.get(step.id)?.tenant ?? step.tenant;
      const row = keyRow(step.id, tenant, step.id, { revoked_at: step.revoked ? 1 : null, expires_at: step.expires });
      this.#keys.set(step.id, row);
      directory.applyKeys([row]);
    } else {
      this.#file = step.tenants;
      const tenants = step.tenants?.map(id => ({ id, keys: [hashKey(`file-${id}`)], ...tenantDefaults }));
      directory.setFile({ tenants });
    }
  }

  /** Every secret that there may be, and whether it is let in. */
  *secrets(): Iterable<readonly [secret: string, passes: boolean]> {
    for (const id of ['a', 'b', 'c']) yield [`file-${id}`, this.#file?.includes(id) ?? false];
    for (const [secret, row] of this.#keys) yield [secret, this.#isThere(row.tenant) && this.#isValid(row)];
  }

  #isThere(tenant: string): boolean {
    const stored = this.#tenants.get(tenant);
    return this.#file?.includes(tenant) || (stored !== undefined && stored.deleted + stored.disabled === 0);
  }

  #isValid({ revoked_at, expires_at }: KeyTable): boolean {
    return revoked_at === null && (expires_at === null || expires_at > this.now);
  }
}

test('whatever is done in whatever order, the directory lets in whom a plain list would', () => {
  const property = fc.property(fc.array(step, { maxLength: 30 }), steps => {
    const list = new PlainList();
    const directory = new Directory({ now: () => list.now });
    for (const each of steps) {
      list.take(each, directory);
      assert.equal(directory.open, list.open);
      if (list.open) continue;
      for (const [secret, passes] of list.secrets())
        assert.equal(codeOf(() => directory.authenticate(`Bearer ${secret}`)) === 'passes', passes);
    }
  });
  fc.assert(property, { numRuns: 300 });
});

test('every failure has the same words: no key, a wrong one, one that expired or was revoked, a tenant that is disabled', () => {
  const directory = new Directory({ now: () => 10 });
  directory.applyTenants([tenantRow('a'), tenantRow('off', { disabled: 1 })]);
  directory.applyKeys([
    keyRow('1', 'a', 'expired', { expires_at: 10 }),
    keyRow('2', 'a', 'revoked', { revoked_at: 3 }),
    keyRow('3', 'off', 'disabled'),
    keyRow('4', 'gone', 'deleted'),
  ]);
  const messages = [
    undefined,
    'x',
    'Bearer nobody',
    ...['expired', 'revoked', 'disabled', 'deleted'].map(key => `Bearer ${key}`),
  ];
  const said = messages.map(header => {
    try {
      directory.authenticate(header);
      return assert.fail(`accepted ${header}`);
    } catch (error) {
      return `${(error as { code: string }).code} ${(error as Error).message}`;
    }
  });
  assert.equal(new Set(said).size, 1);
  assert.match(said[0]!, /^invalid_api_key /);
});

test("a key's limits go with whoever has it, and nothing is kept of them when the tenant changes", () => {
  const directory = new Directory();
  const document = {
    models: ['small'],
    budgets: [{ unit: 'tokens', limit: 1, period: 'day' }],
    rate: { concurrent: 2 },
  } as const;
  directory.applyTenants([tenantRow('a', { document: '{"weight":2}' })]);
  directory.applyKeys([
    keyRow('1', 'a', 'x', { document: { ...document, models: ['small'], budgets: [...document.budgets] } }),
  ]);
  const principal = directory.authenticate('Bearer x');
  assert.equal(directory.authenticate('Bearer x'), principal);
  assert.deepEqual([principal.keyId, principal.tenant.weight, principal.rate?.concurrent], ['1', 2, 2]);
  assert.deepEqual(principal.budgets, document.budgets);
  assert.deepEqual([mayUseModel(principal.tenant, 'small'), mayUseModel(principal.tenant, 'large')], [true, false]);
  assert.equal(directory.principalOf('1'), principal);
  directory.applyTenants([tenantRow('a', { document: '{"weight":3}' })]);
  assert.equal(directory.authenticate('Bearer x').tenant.weight, 3);
});

test('the operator: keys of the file, keys with the scope admin, and keys that only look', () => {
  const admin = createKey('ops');
  const withScopes = (id: string, scopes: Scope[]) => keyRow(id, 'a', id, { document: { scopes } });
  const stored = () => {
    const directory = new Directory({ tenants: [] });
    directory.applyTenants([tenantRow('a')]);
    directory.applyKeys([withScopes('adm', ['admin']), withScopes('look', ['read']), withScopes('ask', ['inference'])]);
    return directory;
  };
  const { authorizeAdmin } = stored();
  assert.equal(authorizeAdmin('Bearer adm', { method: 'POST' }), 'adm');
  assert.equal(authorizeAdmin('Bearer look', { method: 'GET' }), 'look');
  assert.equal(
    codeOf(() => authorizeAdmin('Bearer look', { method: 'POST' })),
    'permission_denied',
  );
  assert.equal(
    codeOf(() => authorizeAdmin('Bearer ask', { method: 'GET' })),
    'invalid_api_key',
  );
  assert.equal(
    codeOf(() => authorizeAdmin(undefined, {})),
    'invalid_api_key',
  );
  const file = new Directory({ tenants: [], adminKeys: [admin.hash] });
  assert.match(file.authorizeAdmin(`Bearer ${admin.key}`) ?? '', /^key_[a-z2-7]{12}$/);
  assert.equal(
    codeOf(() => file.authenticate(`Bearer ${admin.key}`)),
    'invalid_api_key',
  );
  assert.equal(
    codeOf(() => new Directory({ tenants: [] }).authorizeAdmin('Bearer x')),
    'no_admin_keys',
  );
  assert.equal(new Directory().authorizeAdmin(undefined), undefined);
  assert.equal(
    codeOf(() => new Directory({ reachable: true }).authorizeAdmin(undefined)),
    'no_admin_keys',
  );
});

test('a key among 100,000 is found as fast as among ten, and one that is nowhere too', () => {
  const filled = (keys: number) => {
    const directory = new Directory();
    directory.applyTenants([tenantRow('a')]);
    directory.applyKeys(Array.from({ length: keys }, (_, i) => keyRow(`k${i}`, 'a', `secret-${i}`)));
    return directory;
  };
  const [few, many] = [filled(10), filled(100_000)];
  const median = (directory: Directory, header: string) => {
    const times = Array.from({ length: 2000 }, () => {
      const start = performance.now();
      codeOf(() => directory.authenticate(header));
      return performance.now() - start;
    });
    return times.sort((a, b) => a - b)[1000]!;
  };
  median(many, 'Bearer secret-5');
  assert.ok(median(many, 'Bearer secret-99999') < 0.05, 'at most 50 µs');
  assert.ok(median(many, 'Bearer secret-99999') < 10 * median(few, 'Bearer secret-5'));
});

test('without tenants whoever is there may call all tools of the file, as it is now', () => {
  const directory = new Directory({ tools: [{ name: 'weather' }] });
  const tools = () => directory.authenticate(undefined).tenant.tools;
  assert.deepEqual([tools(), directory.tenant('default')?.tools], [['weather'], ['weather']]);
  directory.setFile({ tools: [] });
  assert.deepEqual(tools(), []);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RealmError } from '../errors.ts';
import { Directory } from './directory.ts';
import { createKey, hashKey, hashPattern, isWellFormed } from './keys.ts';
import { tenantDefaults } from './tenants.ts';

const limits = tenantDefaults;

test('a new key is well formed, unlike any other, and only its hash is in the line', () => {
  const a = createKey('acme');
  const b = createKey('acme');
  assert.match(a.key, /^realm_[0-9a-f]{72}$/);
  assert.notEqual(a.key, b.key);
  assert.ok(isWellFormed(a.key));
  assert.match(a.hash, hashPattern);
  assert.equal(a.hash, hashKey(a.key));
  assert.ok(a.line.startsWith(`- ${a.hash} # acme`));
  assert.ok(!a.line.includes(a.key.slice(6)));
});

test('a key with one wrong digit fails its checksum', () => {
  const { key } = createKey('acme');
  const digit = key[10] === '0' ? '1' : '0';
  assert.ok(!isWellFormed(key.slice(0, 10) + digit + key.slice(11)));
  assert.ok(!isWellFormed(key.slice(0, -1)));
});

test('a key names its tenant; everything else is one and the same refusal', () => {
  const acme = createKey('acme');
  const other = createKey('other');
  const tenants = [
    { id: 'acme', keys: [acme.hash], ...limits },
    { id: 'other', keys: [createKey('other').hash, other.hash], ...limits },
  ];
  const { authenticate } = new Directory({ tenants });
  assert.equal(authenticate(`Bearer ${acme.key}`).tenant.id, 'acme');
  assert.equal(authenticate(`bearer ${other.key}`).tenant.id, 'other');
  const headers = [
    undefined,
    '',
    'Bearer',
    'Bearer ',
    `Basic ${acme.key}`,
    acme.key,
    `Bearer ${acme.hash}`,
    `Bearer ${acme.key}0`,
    `Bearer ${acme.key} x`,
  ];
  const messages = headers.map(header => {
    try {
      authenticate(header);
      return assert.fail(`accepted ${header}`);
    } catch (error) {
      assert.ok(error instanceof RealmError && error.code === 'invalid_api_key');
      return error.message;
    }
  });
  assert.equal(new Set(messages).size, 1);
});

test('without configured tenants any key, or none, is the tenant default', () => {
  const { authenticate } = new Directory();
  assert.equal(authenticate(undefined).tenant.id, 'default');
  assert.equal(authenticate('Bearer anything').tenant.id, 'default');
});

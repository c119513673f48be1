import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RealmError } from '../errors.ts';
import { createKey, findKey, hashKey, hashPattern, isWellFormed } from './keys.ts';
import { keyAuthentication, openAuthentication, tenantDefaults } from './tenants.ts';

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

test('findKey finds first, middle, last and none', () => {
  const keys = ['a', 'b', 'c'].map(createKey);
  const hashes = keys.map(k => k.hash);
  assert.deepEqual(
    keys.map(k => findKey(k.key, hashes)),
    [0, 1, 2],
  );
  assert.equal(findKey('realm_', hashes), -1);
});

test('a key names its tenant; everything else is one and the same refusal', () => {
  const acme = createKey('acme');
  const other = createKey('other');
  const authenticate = keyAuthentication([
    { id: 'acme', keys: [acme.hash], ...limits },
    { id: 'other', keys: [createKey('other').hash, other.hash], ...limits },
  ]);
  assert.equal(authenticate(`Bearer ${acme.key}`).id, 'acme');
  assert.equal(authenticate(`bearer ${other.key}`).id, 'other');
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
  const authenticate = openAuthentication();
  assert.equal(authenticate(undefined).id, 'default');
  assert.equal(authenticate('Bearer anything').id, 'default');
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asTyped } from './command-name.ts';

test('commands in a text have the name that Realm was called by, and nothing else changes', () => {
  assert.equal(
    asTyped('  $ realm run "a"\n  $ echo b | realm run', 'bin/realm'),
    '  $ bin/realm run "a"\n  $ echo b | bin/realm run',
  );
  assert.equal(asTyped('a name of `realm models`', './$&/realm'), 'a name of `./$&/realm models`');
  assert.equal(asTyped('realm: usage: in realm.yaml', 'bin/realm'), 'realm: usage: in realm.yaml');
});

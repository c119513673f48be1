import assert from 'node:assert/strict';
import { test } from 'node:test';
import { programName, programPlaceText, programRef, toProgramPlace, toProgramRef } from './program-ref.ts';

test('names and versions are read as they are written', () => {
  for (const text of ['a', 'a.b-c_1', 'summary@3', 'x'.repeat(64)]) {
    assert.ok(programRef.safeParse(text).success, text);
    assert.equal(programPlaceText(toProgramRef(text)), text);
  }
  assert.deepEqual(toProgramRef('summary@3'), { name: 'summary', version: 3 });
  for (const text of [
    '',
    '@1',
    'a@',
    'a@0',
    'a@01',
    'a@1@2',
    'a@-1',
    'a@1e3',
    'a@9999999999',
    'a b',
    'x'.repeat(65),
    'a.wasm',
  ])
    assert.ok(!programRef.safeParse(text).success, text);
  assert.ok(!programName.safeParse('a@1').success);
});

test('in realm.yaml a path has a slash or ends in .wasm, all else is a name', () => {
  for (const text of ['shout.wasm', './shout', 'programs/shout', 'a\\b', '/x/SHOUT.WASM'])
    assert.ok('path' in toProgramPlace(text, '/base'), text);
  assert.deepEqual(toProgramPlace('shout.wasm', '/base'), { path: '/base/shout.wasm' });
  assert.deepEqual(toProgramPlace('shout@2', '/base'), { name: 'shout', version: 2 });
});

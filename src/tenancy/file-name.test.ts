import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fileName, nameOfFile } from './file-name.ts';

const names = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.string({ unit: fc.constantFrom('a', 'A', '.', '%', '/', ':', '4', '1', '\\', 'ß', 'con'), maxLength: 6 }),
);

test('a name comes back from its file', () => {
  fc.assert(fc.property(names, name => assert.equal(nameOfFile(fileName(name)), name)));
});

test('different names are different files, without cases too', () => {
  fc.assert(
    fc.property(names, names, (a, b) => {
      fc.pre(a !== b);
      assert.notEqual(fileName(a).toLowerCase().normalize('NFC'), fileName(b).toLowerCase().normalize('NFC'));
    }),
  );
});

test('no name leaves its folder, hides or is a device', () => {
  fc.assert(
    fc.property(names, name => {
      const file = fileName(name);
      assert.match(file, /^[a-z0-9_%-](?:[a-z0-9._%-]*[a-z0-9_%-])?$/);
      assert.doesNotMatch(file, /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/);
    }),
  );
});

test('plain names stand for themselves, others are readable', () => {
  const files = ['acme', 'a.b-c_1', 'Acme', '..', 'con', 'nul.x', 'console', 'a/b:c', 'é', ''].map(fileName);
  assert.deepEqual(files, [
    'acme',
    'a.b-c_1',
    '%41cme',
    '%2e%2e',
    '%63on',
    '%6eul.x',
    'console',
    'a%2fb%3ac',
    '%c3%a9',
    '%',
  ]);
});

test('what no name gave is no file of ours', () => {
  for (const file of ['Acme', '%41', '%4', '%zz', '.seal', '%61cme', '..', 'a.', 'con', '%ff']) {
    assert.equal(nameOfFile(file), file === '%41' ? 'A' : undefined, file);
  }
});

import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { linkTo, parseRoute } from './route.ts';

it('finds the parts of a link again', () => {
  const parts = fc.array(fc.string({ unit: 'grapheme', minLength: 1 }));
  fc.assert(fc.property(parts, parts => assert.deepEqual(parseRoute(linkTo(...parts)), parts)));
});

it('takes what nobody encoded as it is', () => {
  assert.deepEqual(parseRoute('#/tenants/100%'), ['tenants', '100%']);
  assert.deepEqual(parseRoute(''), []);
});

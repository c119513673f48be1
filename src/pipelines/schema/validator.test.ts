import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Validator } from './validator.ts';

describe('Validator', () => {
  it('fills in defaults, and says what is wrong where', () => {
    const schema = {
      type: 'object',
      properties: {
        a: { type: 'array', items: { type: 'string', pattern: '^[a-z]+$' } },
        n: { type: 'integer', default: 3 },
      },
      additionalProperties: { type: 'string', pattern: 'x' },
    } as const;
    const validator = new Validator(schema);
    assert.deepEqual(validator.check({ a: ['b'], more: 'ax' }), { value: { a: ['b'], n: 3, more: 'ax' } });
    const misfits: [unknown, string, RegExp][] = [
      [{ a: ['b', 'C'] }, 'a[1]', /does not match: \^\[a-z\]\+\$/],
      [{ a: [1] }, 'a[0]', /expected string/],
      [{ n: 1.5 }, 'n', /int/],
      [{ other: 'y' }, 'other', /does not match: x/],
      [[], '', /expected object/],
    ];
    for (const [value, path, problem] of misfits) {
      const found = validator.check(value);
      assert.ok('problem' in found, JSON.stringify(value));
      assert.equal(found.path, path);
      assert.match(found.problem, problem);
    }
  });

  it('takes no longer for a pattern that is made to take long', () => {
    const validator = new Validator({ type: 'string', pattern: '^(a+)+$' });
    const before = performance.now();
    assert.ok('problem' in validator.check(`${'a'.repeat(50_000)}!`));
    assert.ok('value' in validator.check('a'.repeat(50_000)));
    assert.match(JSON.stringify(validator.check('a'.repeat(200_000))), /longer than 100000/);
    assert.ok(performance.now() - before < 2000);
  });

  it('knows values that nest too deep, and schemas that stand for themselves', () => {
    let deep: unknown = [];
    for (let i = 0; i < 100_000; i++) deep = [deep];
    assert.match(JSON.stringify(new Validator(true).check(deep)), /nests deeper than 128/);
    const tree = { $ref: '#/$defs/t', $defs: { t: { type: 'array', items: { $ref: '#/$defs/t' } } } };
    assert.ok('value' in new Validator(tree).check([[], [[]]]));
    assert.ok('problem' in new Validator(tree).check([1]));
    assert.throws(() => new Validator({ $ref: '#' }));
  });
});

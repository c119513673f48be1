import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { Recogniser } from '../../../test/constrain/recogniser.ts';
import type { RealmError } from '../../errors.ts';
import { GrammarBuilder } from '../grammar-builder.ts';
import { jsonSchemaGrammar } from './index.ts';

function recogniser(schema: unknown): Recogniser {
  const grammar = jsonSchemaGrammar(schema);
  return new Recogniser(grammar, grammar.regexes);
}

interface Row {
  readonly schema: unknown;
  readonly good?: readonly unknown[];
  readonly bad?: readonly unknown[];
}

const rows: Record<string, Row> = {
  'required without properties': {
    schema: { required: ['a'] },
    good: [{ a: 1 }, { a: 1, b: 2 }, 5],
    bad: [{}, { b: 1 }],
  },
  'patternProperties with additionalProperties': {
    schema: {
      type: 'object',
      patternProperties: { '^x': { type: 'integer' }, y$: { minimum: 5 } },
      additionalProperties: false,
    },
    good: [{}, { xa: 1 }, { xy: 7 }, { ay: 6 }],
    bad: [{ xa: 'b' }, { xy: 3 }, { b: 1 }],
  },
  'a property that a pattern matches too': {
    schema: { properties: { xa: { minimum: 3 } }, patternProperties: { '^x': { type: 'integer' } } },
    good: [{ xa: 4 }],
    bad: [{ xa: 2 }, { xa: 4.5 }],
  },
  'lengths in characters, an escape is one': {
    schema: { type: 'string', minLength: 2, maxLength: 3 },
    good: ['\n"', '日本語', '🤔🤔🤔', '\u0001ab'],
    bad: ['a', 'abcd', '\n\n\n\n'],
  },
  'large minLength with a pattern': {
    schema: { type: 'string', minLength: 900, pattern: '^[a-z]+$' },
    good: ['a'.repeat(900)],
    bad: ['a'.repeat(899), 'A'.repeat(900)],
  },
  'propertyNames with a large minLength': {
    schema: { type: 'object', propertyNames: { minLength: 900 } },
    good: [{}, { ['a'.repeat(900)]: 1 }],
    bad: [{ ['a'.repeat(899)]: 1 }],
  },
  'large maxLength': {
    schema: { type: 'string', maxLength: 65536 },
    good: ['a'.repeat(3000)],
    bad: ['a'.repeat(65537)],
  },
  'numbers in ranges': {
    schema: { type: 'number', exclusiveMinimum: -2.5, maximum: 10 },
    good: [-2.4, -2, 0, 0.001, 9.99, 10],
    bad: [-2.5, -3, 10.01, 11, 100],
  },
  'integers in ranges': {
    schema: { type: 'integer', minimum: 9, maximum: 120 },
    good: [9, 10, 99, 120],
    bad: [8, 121, 1000, -9, 9.5],
  },
  multipleOf: { schema: { type: 'number', multipleOf: 0.25 }, good: [0.25, 1, -3.5, 100], bad: [0.1, 1.3] },
  'multiples between ends': {
    schema: { type: 'integer', multipleOf: 7, minimum: 0, maximum: 50 },
    good: [0, 7, 49],
    bad: [1, 50, 56],
  },
  'const and enum of anything': {
    schema: { enum: [1, 'a"', null, { b: [1, { c: true }] }] },
    good: [1, 'a"', null, { b: [1, { c: true }] }],
    bad: [2, 'a', { b: [1] }, false],
  },
  recursion: {
    schema: {
      $ref: '#/$defs/t',
      $defs: { t: { type: 'object', properties: { n: { $ref: '#/$defs/t' } }, additionalProperties: false } },
    },
    good: [{}, { n: { n: {} } }],
    bad: [{ n: 1 }, { n: { m: 1 } }],
  },
  'definitions of draft 7': {
    schema: { $ref: '#/definitions/a~1b', definitions: { 'a/b': { type: 'null' } } },
    good: [null],
    bad: [1],
  },
  'allOf merges objects': {
    schema: {
      allOf: [
        { type: 'object', properties: { a: { type: 'integer' } }, required: ['a'] },
        { properties: { a: { minimum: 3 }, b: { type: 'string' } } },
      ],
    },
    good: [{ a: 3 }, { a: 4, b: 'x' }],
    bad: [{ a: 2 }, { b: 'x' }, { a: 3, b: 1 }],
  },
  'oneOf whose parts exclude each other': {
    schema: {
      oneOf: [
        { properties: { kind: { const: 'a' }, x: { type: 'integer' } }, required: ['kind'] },
        { properties: { kind: { const: 'b' }, x: { type: 'string' } }, required: ['kind'] },
      ],
      type: 'object',
    },
    good: [
      { kind: 'a', x: 1 },
      { kind: 'b', x: 's' },
    ],
    bad: [{ kind: 'a', x: 's' }, { kind: 'c' }, {}],
  },
  'oneOf whose parts overlap': {
    schema: { oneOf: [{ type: 'integer' }, { minimum: 2, type: 'number' }] },
    good: [1, 2.5],
    bad: [2, 1.5],
  },
  not: { schema: { type: 'string', not: { enum: ['a', 'b'] } }, good: ['c', ''], bad: ['a', 'b', 1] },
  'if, then, else': {
    schema: {
      type: 'object',
      properties: { a: { type: 'integer' } },
      if: { properties: { a: { const: 1 } }, required: ['a'] },
      // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema.
      then: { required: ['b'] },
    },
    good: [{ a: 2 }, { a: 1, b: 0 }, {}],
    bad: [{ a: 1 }],
  },
  dependentRequired: {
    schema: { type: 'object', dependentRequired: { a: ['b'] } },
    good: [{}, { b: 1 }, { a: 1, b: 1 }],
    bad: [{ a: 1 }],
  },
  'counted members': {
    schema: { type: 'object', minProperties: 1, maxProperties: 2 },
    good: [{ a: 1 }, { a: 1, b: 2 }],
    bad: [{}, { a: 1, b: 2, c: 3 }],
  },
  'counted items': {
    schema: { type: 'array', items: { type: 'boolean' }, minItems: 2, maxItems: 5 },
    good: [[true, true], Array(5).fill(true)],
    bad: [[true], Array(6).fill(true), [true, 1]],
  },
  contains: {
    schema: { type: 'array', contains: { type: 'null' }, items: { type: ['null', 'integer'] }, maxItems: 3 },
    good: [[null], [1, null], [null, null, 2], [1, 2, null]],
    bad: [[], [1], [1, 2, 3], [1, 2, 3, null], ['a', null]],
  },
  'contains twice': {
    schema: { allOf: [{ contains: { const: 1 } }, { contains: { type: 'integer' } }], type: 'array', minItems: 2 },
    good: [
      [1, 'a'],
      ['a', 'b', 'c', 1],
      [2, 1],
    ],
    bad: [[1], [2, 3], ['a', 'b']],
  },
  'not items': {
    schema: { type: 'array', not: { items: { type: 'integer' } } },
    good: [['a'], [1, 'a']],
    bad: [[], [1, 2]],
  },
  'not contains': { schema: { type: 'array', not: { contains: { type: 'null' } } }, good: [[], [1]], bad: [[1, null]] },
  prefixItems: {
    schema: { type: 'array', prefixItems: [{ type: 'integer' }, { type: 'string' }], items: false },
    good: [[], [1], [1, 'a']],
    bad: [['a'], [1, 'a', 2]],
  },
  'pattern anywhere, or anchored': {
    schema: { type: 'string', pattern: '^a\\d+$|b' },
    good: ['a1', 'xbx'],
    bad: ['a', 'a1x', 'xa1'],
  },
  'pattern with look-ahead': {
    schema: { type: 'string', pattern: '^(?=.*\\d)(?!x)\\w{3,}$' },
    good: ['ab1'],
    bad: ['abc', 'xb1', 'a1'],
  },
  'format date-time': {
    schema: { type: 'string', format: 'date-time' },
    good: ['2024-02-29T23:59:59.5Z'],
    bad: ['2023-02-29T00:00:00Z', '2023-01-01'],
  },
  propertyNames: {
    schema: { type: 'object', propertyNames: { pattern: '^[a-z]+$' } },
    good: [{ ab: 1 }],
    bad: [{ a1: 1 }],
  },
  'type lists': { schema: { type: ['string', 'null'] }, good: ['a', null], bad: [1, {}] },
  'members in the order in which the schema first names them': {
    schema: { allOf: [{ properties: { b: {} } }], properties: { a: {}, b: {} }, additionalProperties: false },
    good: [{ b: 1, a: 2 }],
    bad: [{ a: 2, b: 1 }],
  },
  annotations: {
    schema: { title: 'x', description: 'y', default: 1, examples: [2], $comment: 'z', type: 'integer' },
    good: [3],
    bad: ['a'],
  },
};

describe('JSON Schema as a grammar', () => {
  for (const [name, { schema, good = [], bad = [] }] of Object.entries(rows)) {
    it(name, () => {
      const grammar = recogniser(schema);
      for (const value of good) {
        assert.equal(grammar.accepts(JSON.stringify(value)), true, JSON.stringify(value).slice(0, 80));
        assert.equal(
          grammar.accepts(JSON.stringify(value, null, 2)),
          true,
          `indented ${JSON.stringify(value).slice(0, 80)}`,
        );
      }
      for (const value of bad)
        assert.equal(grammar.accepts(JSON.stringify(value)), false, JSON.stringify(value).slice(0, 80));
    });
  }

  const texts: Record<string, [schema: unknown, text: string, accepted: boolean]> = {
    'a raw tab in a string': [{ type: 'string', maxLength: 5 }, '"a\tb"', false],
    'a lone surrogate': [{ type: 'string' }, '"\\ud800"', false],
    'a lone low surrogate': [{ type: 'string' }, '"\\ude00"', false],
    'a pair of surrogates, which is one character': [{ type: 'string', maxLength: 1 }, '"\\ud83e\\udd14"', true],
    'a key spelt with escapes': [{ type: 'object', properties: { a: { type: 'null' } } }, '{"\\u0061":1}', false],
    'twenty spaces in a gap': [{ type: 'array' }, `[${' '.repeat(20)}1]`, true],
    'twenty-one spaces in a gap': [{ type: 'array' }, `[${' '.repeat(21)}1]`, false],
    'a line break and an indentation': [{ type: 'array' }, `[\n${' '.repeat(64)}1\n]`, true],
    'a line break and an indentation without end': [{ type: 'array' }, `[\n${' '.repeat(65)}1\n]`, false],
    'the digits of 64 bits': [{ type: 'integer' }, '18446744073709551615', true],
    'twenty-one digits': [{}, '123456789012345678901', false],
    'digits that a double drops behind an excluded bound': [{ exclusiveMinimum: 1 }, '1.00000000000000001', false],
    'digits that make a fraction an integer': [{ type: 'number', not: { type: 'integer' } }, `${2 ** 53}.5`, false],
    'an exponent where only zero bounds': [{ type: 'number', minimum: 0 }, '1.5e200', true],
    'an exponent of the other sign': [{ type: 'number', minimum: 0 }, '-1e-6', false],
    'a small number between bounds': [{ type: 'number', minimum: -1, maximum: 1 }, '-9.5e-7', true],
    'a number that an exponent makes large': [{ type: 'number', minimum: 0, maximum: 1 }, '1e6', false],
    'a small number that is too large': [{ type: 'number', minimum: 0, maximum: 0.5 }, '9e-1', false],
    'zero with an exponent that is excluded': [{ type: 'number', exclusiveMinimum: 0 }, '0.0e-5', false],
    'a small number above zero': [{ type: 'number', exclusiveMinimum: 0, maximum: 1 }, '0.01e-5', true],
    'zeros behind a multiple of a fraction': [{ type: 'number', multipleOf: 0.25 }, '75.0', true],
    'zeros behind a multiple': [{ type: 'number', multipleOf: 5 }, '75.00', true],
    'zeros behind an integer that is a multiple': [{ type: 'integer', multipleOf: 5 }, '75.00', false],
    'an integer with a point, which many readers refuse': [{ type: 'integer' }, '6000.0', false],
    'endless digits behind the point': [{}, '0.123456789012345678', false],
    'the digits of any double': [{}, '0.12345678901234567', true],
    'a number that is infinite': [{}, '1e999', false],
    'a leading zero': [{ type: 'number' }, '01', false],
    'space before the answer': [{}, ' 1', false],
  };
  for (const [name, [schema, text, accepted]] of Object.entries(texts)) {
    it(`${accepted ? 'accepts' : 'refuses'} ${name}`, () => assert.equal(recogniser(schema).accepts(text), accepted));
  }
});

describe('A schema that no grammar expresses', () => {
  const refused: Record<string, [schema: unknown, param: string]> = {
    uniqueItems: [{ properties: { a: { type: 'array', uniqueItems: true } } }, '/properties/a/uniqueItems'],
    'several items that match': [{ contains: { type: 'null' }, minContains: 2 }, '/minContains'],
    'not too many items that match': [{ items: { contains: {}, maxContains: 2 } }, '/items/maxContains'],
    'an unknown format': [{ type: 'string', format: 'postal-code' }, '/format'],
    'a back-reference': [{ type: 'string', pattern: '(a)\\1' }, '/pattern'],
    'an unknown type': [{ type: 'file' }, '/type'],
    'a reference to elsewhere': [{ $ref: 'https://example.com/a.json' }, '/$ref'],
    'a reference to nothing': [{ $ref: '#/$defs/a' }, '/$ref'],
    'a reference to itself': [{ $ref: '#' }, '/$ref'],
    'multiples of 7 without ends': [{ type: 'integer', multipleOf: 7 }, '/multipleOf'],
    'several members of free names': [{ type: 'object', minProperties: 3 }, '/minProperties'],
    unevaluatedProperties: [{ unevaluatedProperties: false }, '/unevaluatedProperties'],
  };
  for (const [name, [schema, param]] of Object.entries(refused)) {
    it(`is refused with its path: ${name}`, () => {
      assert.throws(
        () => jsonSchemaGrammar(schema),
        (error: RealmError) => {
          assert.equal(error.code, 'schema_unsupported', error.message);
          assert.equal(error.param, param);
          return true;
        },
      );
    });
  }

  for (const schema of [
    false,
    { type: 'string', minLength: 2, maxLength: 1 },
    { allOf: [{ const: 1 }, { const: 2 }] },
    { type: 'object', required: ['a'], properties: { a: { $ref: '#' } } },
  ]) {
    it(`is refused where nothing matches: ${JSON.stringify(schema)}`, () => {
      assert.throws(() => jsonSchemaGrammar(schema), { code: 'grammar_invalid', message: /matches nothing/ });
    });
  }

  const nested = (depth: number): unknown => (depth === 0 ? {} : { items: nested(depth - 1) });
  const bombs: Record<string, () => unknown> = {
    'a deep one': () => nested(5000),
    'one of 10 MB': () => ({ enum: Array.from({ length: 1e6 }, (_, at) => `value ${at}`) }),
    'deep data': () => ({ const: JSON.parse('['.repeat(1e5) + ']'.repeat(1e5)) }),
    'an exponential one': () => ({
      allOf: Array.from({ length: 30 }, (_, at) => ({ anyOf: [{ required: [`a${at}`] }, { required: [`b${at}`] }] })),
    }),
    'a pattern whose automaton is large': () => ({
      pattern: `^${[2, 3, 5, 7, 11, 13, 17, 19, 23].map(prime => `(?=(?:.{${prime}})*.{1,${prime - 1}}c$)`).join('')}[ab]*c$`,
      minLength: 90_000,
    }),
  };
  for (const [name, schema] of Object.entries(bombs)) {
    it(`is refused soon: ${name}`, () => {
      const made = schema();
      const begin = performance.now();
      assert.throws(() => jsonSchemaGrammar(made), { code: 'grammar_limit' });
      assert.ok(performance.now() - begin < 2000);
    });
  }

  it('is refused before its members are read where they are too many', () => {
    const builder = new GrammarBuilder();
    const properties = Object.fromEntries(Array.from({ length: 16_000 }, (_, at) => [`p${at}`, { type: 'integer' }]));
    assert.throws(() => jsonSchemaGrammar({ properties }, builder), { code: 'grammar_limit', message: /steps/ });
    assert.ok(builder.regexes.units < 1_000);
  });

  it('is no matter of size: 8,000 members', () => {
    const properties = Object.fromEntries(Array.from({ length: 8_000 }, (_, at) => [`p${at}`, { type: 'integer' }]));
    assert.equal(
      recogniser({ type: 'object', properties, additionalProperties: false }).accepts('{"p3":1,"p7999":2}'),
      true,
    );
  });
});

/** The value with the members of its objects in every order. */
function orders(value: unknown): unknown[] {
  if (typeof value !== 'object' || value === null) return [value];
  if (Array.isArray(value)) {
    return value.reduce<unknown[][]>(
      (lists, item) => lists.flatMap(list => orders(item).map(each => [...list, each])),
      [[]],
    );
  }
  const entries = Object.entries(value);
  if (entries.length === 0) return [value];
  return entries.flatMap(([name, member]) => {
    const rest = orders(Object.fromEntries(entries.filter(([other]) => other !== name))) as object[];
    return orders(member).flatMap(each => rest.map(others => ({ [name]: each, ...others })));
  });
}

describe('JSON Schema and ajv', () => {
  const { schema } = fc.letrec(tie => ({
    schema: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom<object>({ type: 'null' }, { type: 'boolean' }, { type: 'integer' }, { type: 'string' }, {}),
      fc.record(
        {
          type: fc.constantFrom('integer', 'number'),
          minimum: fc.integer({ min: -20, max: 5 }),
          maximum: fc.integer({ min: 0, max: 30 }),
        },
        { requiredKeys: ['type'] },
      ),
      fc.record(
        {
          type: fc.constant('string'),
          minLength: fc.integer({ min: 0, max: 2 }),
          maxLength: fc.integer({ min: 1, max: 4 }),
          pattern: fc.constantFrom('a', '^a', 'b$', '^[ab]*$'),
        },
        { requiredKeys: ['type'] },
      ),
      fc.record({ enum: fc.uniqueArray(fc.constantFrom(1, 'a', 'ab', null, true, 2.5), { minLength: 1 }) }),
      fc.record(
        {
          type: fc.constant('array'),
          items: tie('schema'),
          prefixItems: fc.array(tie('schema'), { minLength: 1, maxLength: 2 }),
          minItems: fc.integer({ min: 0, max: 2 }),
          maxItems: fc.integer({ min: 1, max: 3 }),
        },
        { requiredKeys: ['type'] },
      ),
      // Apart from prefixItems: beside them ajv takes an empty list to contain something.
      fc.record(
        { type: fc.constant('array'), contains: tie('schema'), maxItems: fc.integer({ min: 1, max: 3 }) },
        { requiredKeys: ['type'] },
      ),
      fc.record(
        {
          type: fc.constant('object'),
          properties: fc.record({ a: tie('schema'), b: tie('schema') }, { requiredKeys: [] }),
          required: fc.constantFrom([], ['a'], ['a', 'b']),
          additionalProperties: fc.oneof(fc.boolean(), tie('schema')),
          patternProperties: fc.record({ '^[bc]': tie('schema') }),
        },
        { requiredKeys: ['type'] },
      ),
      fc.record({ anyOf: fc.array(tie('schema'), { minLength: 1, maxLength: 3 }) }),
      fc.record({ allOf: fc.array(tie('schema'), { minLength: 1, maxLength: 2 }) }),
      fc.record({ oneOf: fc.array(tie('schema'), { minLength: 1, maxLength: 2 }) }),
      fc.record({ not: tie('schema') }),
      // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema.
      fc.record({ if: tie('schema'), then: tie('schema'), else: tie('schema') }, { requiredKeys: ['if'] }),
    ),
  }));
  const { value } = fc.letrec(tie => ({
    value: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom<unknown>(null, true, 0, 1, 7, -3, 2.5, 25, 'a', 'ab', 'b', 'abab', 'bca', ''),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.record({ a: tie('value'), b: tie('value'), c: tie('value') }, { requiredKeys: [], noNullPrototype: true }),
    ),
  }));

  it('agree on which instances are valid', () => {
    const ajv = new Ajv2020({ strict: false, logger: false, validateSchema: false });
    const property = fc.property(
      schema as fc.Arbitrary<object>,
      fc.array(value, { minLength: 12, maxLength: 12 }),
      (candidate, values) => {
        let grammar: Recogniser | undefined;
        try {
          grammar = recogniser(candidate);
        } catch (error) {
          const { code } = error as RealmError;
          if (code !== 'schema_unsupported' && code !== 'grammar_invalid' && code !== 'grammar_limit') throw error;
          // What matches nothing accepts nothing; of the rest nothing is claimed.
          if (code !== 'grammar_invalid') return;
        }
        const valid = ajv.compile(candidate);
        const accepts = (each: unknown) => grammar?.accepts(JSON.stringify(each)) === true;
        // Members come in the schema's order, so of a valid instance one order is accepted.
        for (const each of values)
          assert.equal(accepts(each) || (valid(each) && orders(each).some(accepts)), valid(each), JSON.stringify(each));
      },
    );
    fc.assert(property, { numRuns: 300 });
  });
});

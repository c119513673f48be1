import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parse } from 'yaml';
import { mistakesIn, triage, withSteps } from './testing/documents.ts';

describe('hostile documents', () => {
  const nested = (levels: number): string =>
    levels === 0
      ? '{ id: s, template: x }'
      : `{ id: m${levels}, map: { over: "[1]", as: i${levels} }, steps: [${nested(levels - 1)}] }`;
  const deep: Record<string, string> = {
    'too many steps': withSteps(Array.from({ length: 65 }, (_, i) => `- { id: s${i}, template: x }`).join('\n'), 's1'),
    'too many steps in maps': withSteps(
      `- { id: a, map: { over: "[1]", as: i }, steps: [${Array.from({ length: 65 }, (_, i) => `{ id: s${i}, template: x }`).join(', ')}] }`,
    ),
    'maps in maps': withSteps(`- ${nested(4)}`, 'm4'),
    'a long text': `pipeline: ${'x'.repeat(300_000)}`,
    'many brackets': '['.repeat(100_000),
    'many mappings': '{a: '.repeat(20_000),
    'many items': `${'- '.repeat(50_000)}x`,
    'many levels': Array.from({ length: 500 }, (_, i) => `${' '.repeat(i)}a:\n`).join(''),
    'an alias bomb': 'a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]',
    'a tag': 'pipeline: !!js/function "x"',
    'two documents': 'pipeline: p\n---\npipeline: q',
    'a long expression': withSteps('- { id: a, template: x }', `"${'1+'.repeat(20_000)}1"`),
    'a deep expression': withSteps('- { id: a, template: x }', `"${'('.repeat(5000)}"`),
    'a deep template': withSteps(`- { id: a, template: "{{ ${'('.repeat(5000)}1 }}" }`),
    'a deep schema': withSteps(
      `- { id: a, model: m, prompt: x, output: ${'{ type: array, items: '.repeat(100)}true${' }'.repeat(100)} }`,
    ),
    'a schema of itself': withSteps('- { id: a, model: m, prompt: x, output: { $ref: "#" } }'),
    'names of prototypes': '{"__proto__": {"pipeline": "p"}, "constructor": 1}',
    'keys that are lists': '? [a]\n: 1',
  };
  for (const [name, text] of Object.entries(deep)) {
    it(`refuses ${name}`, () => {
      const before = performance.now();
      const found = mistakesIn(text);
      assert.ok(found.length > 0);
      for (const line of found) assert.match(line, /^(?:\d+:\d+: .|and \d+ more)/);
      assert.ok(performance.now() - before < 3000);
    });
  }

  it('refuses any broken document with a place, and nothing else happens', () => {
    const broken = fc.record({
      at: fc.nat(triage.length),
      drop: fc.nat(12),
      put: fc.oneof(
        fc.string({ maxLength: 6 }),
        fc.constantFrom(
          '{{',
          '}}',
          '": ',
          '[',
          ']',
          '{',
          '}',
          '\n',
          '- ',
          '&a ',
          '*a',
          '!!',
          'null',
          '\t',
          '#',
          '|\n',
          '\u0000',
          '\ud800',
        ),
      ),
    });
    fc.assert(
      fc.property(fc.array(broken, { minLength: 1, maxLength: 4 }), edits => {
        let text = triage;
        for (const { at, drop, put } of edits) text = text.slice(0, at) + put + text.slice(at + drop);
        for (const line of mistakesIn(text)) assert.match(line, /^(?:\d+:\d+: .|and \d+ more)/);
      }),
      { numRuns: 120 },
    );
  });

  it('refuses any wrong value at any place with a place, and nothing else happens', () => {
    const documents = globSync('examples/pipelines/*.yaml').map(file => parse(readFileSync(file, 'utf8')) as unknown);
    documents.push({
      id: 'o',
      inputs: { a: { type: 'string', required: true } },
      steps: [
        { id: 'x', model: 'm', input: { template: '{{a}}' }, output: 'r' },
        { id: 'y', model: 'm', input: 'r' },
      ],
      outputs: { q: 'r', z: { ref: 'y' } },
    });
    const words = fc.constantFrom(
      'input',
      'kind',
      'a.b',
      'size(1)',
      '{{ x }}',
      '{{',
      '1 +',
      '[1]',
      '$ref',
      '#/$defs/x',
      '__proto__',
    );
    const keys = fc.constantFrom(
      'id',
      'model',
      'prompt',
      'map',
      'over',
      'as',
      'steps',
      'branch',
      'when',
      'use',
      'else',
    );
    const schemaKeys = fc.constantFrom(
      'type',
      'items',
      'properties',
      'enum',
      'anyOf',
      '$ref',
      'const',
      'allOf',
      'pattern',
    );
    const value = fc.oneof(
      words,
      fc.jsonValue({ maxDepth: 2 }),
      fc.array(words, { maxLength: 3 }),
      fc.dictionary(fc.oneof(keys, schemaKeys), fc.oneof(words, fc.jsonValue({ maxDepth: 1 })), { maxKeys: 4 }),
    );
    fc.assert(
      fc.property(fc.constantFrom(...documents), fc.nat(), value, fc.option(keys), (document, at, put, key) => {
        const places: Record<string, unknown>[] = [];
        const copy = JSON.parse(JSON.stringify(document), (_, each) => {
          if (typeof each === 'object' && each !== null) places.push(each as Record<string, unknown>);
          return each as unknown;
        }) as unknown;
        const place = places[at % places.length]!;
        const all = Object.keys(place);
        place[key ?? all[at % all.length] ?? 'id'] = put;
        for (const line of mistakesIn(JSON.stringify(copy))) assert.match(line, /^(?:\d+:\d+: .|and \d+ more)/);
      }),
      { numRuns: 200 },
    );
  });
});

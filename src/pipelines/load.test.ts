import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { RealmError } from '../errors.ts';
import { loadPipeline } from './load.ts';

const file = 'p.yaml';
const load = (text: string) => loadPipeline(text, { file });

/** The lines of the refusal, without the file's name. */
function mistakes(text: string): string[] {
  try {
    load(text);
  } catch (error) {
    assert.ok(error instanceof RealmError, String((error as Error).stack));
    assert.equal(error.code, 'pipeline_invalid');
    return error.message.split('\n').map(line => line.replace(/^p\.yaml:/, ''));
  }
  return [];
}

/** A pipeline with these steps. */
const withSteps = (steps: string, output = 'a') =>
  `pipeline: p\nsteps:\n${steps.replace(/^/gm, '  ')}\noutput: ${output}\n`;

const design = `pipeline: triage
input: { type: object, properties: { ticket: { type: string } }, required: [ticket] }
steps:
  - id: kind
    model: small
    prompt: "Classify: {{ input.ticket }}"
    output: { enum: [bug, question] }      # constrains decoding
    retry: { on: [constraint_dead_end], max: 2 }
    timeout_ms: 20000
  - id: parts
    when: kind == "bug"                    # CEL
    wasm: split.wasm
    output: { type: array, maxItems: 16, items: { type: string } }
  - id: each
    map: { over: parts, as: part, concurrency: 4, on_error: skip }
    steps: [{ id: fix, model: big, prompt: "{{ part }}", output: { type: string } }]
  - id: route
    branch: [{ when: each != null, use: each }, { else: kind }]
output: route
`;

describe('loadPipeline', () => {
  it('reads the example of the design', () => {
    const pipeline = load(design);
    assert.equal(pipeline.name, 'triage');
    assert.deepEqual(pipeline.uses, { models: ['small', 'big'], programs: ['split.wasm'], tools: [] });
    const [kind, parts, each, route] = pipeline.steps;
    assert.deepEqual(
      [kind?.after, parts?.after, each?.after, route?.after],
      [[], ['kind'], ['parts'], ['each', 'kind']],
    );
    assert.equal(parts?.nullable, true);
    assert.deepEqual(each?.output, { type: 'array', items: { type: 'string' } });
    assert.equal(each?.steps?.[0]?.id, 'fix');
  });

  it('reads JSON too', () => {
    const json = { pipeline: 'p', steps: [{ id: 'a', template: 'x {{ input }}' }], output: 'a + "!"' };
    assert.equal(load(JSON.stringify(json)).steps[0]?.kind, 'template');
    assert.deepEqual(load(JSON.stringify(json, null, 2)).output, { type: 'string' });
  });

  it('runs steps in the order in which they wait, wherever they stand', () => {
    const text = withSteps(
      '- { id: a, template: "{{ b }}{{ c }}" }\n- { id: b, template: "{{ c }}" }\n- { id: c, template: x }',
    );
    assert.deepEqual(
      load(text).steps.map(({ id }) => id),
      ['c', 'b', 'a'],
    );
  });

  it('names each mistake with its place, and what may be meant', () => {
    const cases: [string, RegExp][] = [
      ['', /^1:1: a pipeline is a mapping$/],
      ['- a', /^1:1: a pipeline is a mapping$/],
      ['pipeline: [', /^1:12: Flow sequence/],
      ['pipeline: p\npipeline: q\nsteps: []\noutput: a', /^2:1: Map keys must be unique$/],
      [
        withSteps('- { id: a, template: x }').replace('output', 'ouptut'),
        /^4:1: a pipeline has no 'ouptut'; did you mean 'output'\?$/,
      ],
      [withSteps('- { id: a, template: x }', 'b'), /^4:9: there is no 'b' here; there are input, a$/],
      [withSteps('- { id: a, template: x }\n- { id: a, template: y }'), /^4:7: there is a step 'a' already$/],
      [withSteps('- { id: a, template: "{{ a }}" }'), /the step 'a' cannot use its own output$/],
      [
        withSteps('- { id: a, template: "{{ b }}" }\n- { id: b, template: "{{ a }}" }'),
        /^3:7: steps wait for each other in a circle: a -> b -> a$/,
      ],
      [
        withSteps('- { id: a, templte: x }'),
        /^3:14: a step says what it does with one field; did you mean 'template'\?$/,
      ],
      [withSteps('- { id: a }'), /there are model, wasm, tool, template, branch, map$/],
      [withSteps('- { id: a, template: x, tool: y }'), /a step is either 'tool' or 'template'/],
      [withSteps('- { id: a b, template: x }'), /'a b' is no name/],
      [withSteps('- { id: input, template: x }'), /'input' means something else/],
      [withSteps('- { id: size, template: x }\n- { id: list, template: y }'), /'list' means something else/],
      [withSteps('- { id: a, model: m }'), /a model needs a 'prompt'/],
      [
        withSteps('- { id: a, model: m, prompt: x, temprature: 1 }'),
        /has no 'temprature'; did you mean 'temperature'\?$/,
      ],
      [
        withSteps('- { id: a, model: m, prompt: x, temperature: 3 }'),
        /'temperature' must be a number from 0 to 2, not 3$/,
      ],
      [withSteps('- { id: a, model: m, prompt: "{{ x" }'), /^3:33: the template cannot be read: the tag is not closed/],
      [withSteps('- { id: a, model: m, prompt: x, output: { type: strng } }'), /^3:51: 'type': must be string, number/],
      [
        withSteps('- { id: a, model: m, prompt: x, output: { typ: string } }'),
        /^3:45: 'typ' is no keyword .*; did you mean 'type'\?$/,
      ],
      [
        withSteps('- { id: a, model: m, prompt: x, output: { properties: { b: true } } }'),
        /write 'type: object' beside it$/,
      ],
      [
        withSteps('- { id: a, model: m, prompt: x, output: { type: string, pattern: "(" } }'),
        /the schema cannot be used/,
      ],
      [
        withSteps('- { id: a, model: m, prompt: x, retry: { on: [constraint_deadend] } }'),
        /there is no error 'constraint_deadend'; did you mean 'constraint_dead_end'\?$/,
      ],
      [
        withSteps('- { id: a, model: m, prompt: x, retry: { max: 99 } }'),
        /'max' must be an integer from 1 to 10, not 99$/,
      ],
      [withSteps('- { id: a, model: m, prompt: x, catch: {} }'), /either 'use', an expression, or 'default'/],
      [
        withSteps('- { id: a, model: m, prompt: x, output: { type: string }, catch: { default: 3 } }'),
        /the default is no output/,
      ],
      [withSteps('- { id: a, template: x, when: a.b }'), /cannot use its own output/],
      [withSteps('- { id: a, template: x, when: "1" }'), /must be a bool, and is an int$/],
      [
        withSteps('- { id: a, template: x, output: { type: integer } }'),
        /the output is said to be int, and is string$/,
      ],
      [withSteps('- { id: a, branch: [{ else: "1" }, { when: "true", use: "2" }] }'), /'else' must be the last way/],
      [withSteps('- { id: a, branch: [] }'), /needs at least one way/],
      [
        withSteps('- { id: a, map: { over: "1", as: x }, steps: [{ id: b, template: x }] }'),
        /must be a list, and is an int$/,
      ],
      [withSteps('- { id: a, map: { over: "[1]", as: x }, steps: [] }'), /'steps' needs at least one step/],
      [
        withSteps('- { id: a, map: { over: "[1]", as: x, concurrency: 999 }, steps: [{ id: b, template: x }] }'),
        /'concurrency' must be an integer from 1 to 256, not 999/,
      ],
      [
        withSteps('- { id: a, map: { over: "[1]", as: x, on_error: ignore }, steps: [{ id: b, template: x }] }'),
        /'on_error' is 'skip' or 'fail'/,
      ],
      [
        withSteps('- { id: a, map: { over: "[1]", as: x }, steps: [{ id: b, template: "{{ a }}" }] }'),
        /the map 'a' has no output while its own steps run/,
      ],
      [
        withSteps('- { id: a, map: { over: "[1]", as: x }, steps: [{ id: b, template: y }] }', 'b'),
        /the step 'b' stands in the map 'a' and cannot be used outside; use 'a'/,
      ],
      [withSteps('- { id: a, tool: t, input: { q: "input.", n: 3 } }'), /the expression is no CEL/],
      ['a: &x 1\nb: *x', /an anchor cannot be used/],
    ];
    for (const [text, message] of cases) {
      const found = mistakes(text);
      assert.ok(
        found.some(line => message.test(line)),
        `${text}\n${message}\n${found.join('\n')}`,
      );
      for (const line of found) assert.match(line, /^\d+:\d+: ./);
    }
  });

  it('names the field that is not there, in expressions and in templates', () => {
    const text = design.replace('input.ticket }}', 'input.tikcet }}').replace('when: kind ==', 'when: input.tciket ==');
    assert.deepEqual(mistakes(text), [
      "6:33: there is no 'tikcet' here; did you mean 'ticket'?",
      "11:17: there is no 'tciket' here; did you mean 'ticket'?",
    ]);
  });

  it('names a place in a text of several lines', () => {
    const text = withSteps(
      '- id: a\n  template: |\n    Hello\n    {{ inptu.x }}\n- id: b\n  branch:\n    - else: >-\n        size(input) +\n        size(c)',
    );
    assert.deepEqual(mistakes(text), [
      "6:10: there is no 'inptu' here; did you mean 'input'?",
      "11:16: there is no 'c' here; there are input, a, b",
    ]);
  });

  it('names all mistakes at once, in the order of the lines', () => {
    const found = mistakes(
      withSteps(
        '- { id: a, model: m, prompt: "{{ inptu }}", top_q: 1 }\n- { id: b, template: "{{ a.x }}", when: "zz" }\n- { id: c, wasm: w, input: q }',
        'd',
      ),
    );
    assert.equal(found.length, 5);
    assert.deepEqual(
      found.map(line => Number(line.split(':')[0])),
      [3, 3, 4, 5, 6],
    );
  });

  it('knows what may be null, and what a branch may be', () => {
    const pipeline = load(
      withSteps(
        '- { id: a, template: x, when: "size(input.x) > 1" }\n- { id: b, branch: [{ when: a == null, use: "1" }] }\n- { id: c, model: m, prompt: x, catch: { default: none } }',
        `'a == null ? "n" : a'`,
      ),
    );
    assert.deepEqual(
      pipeline.steps.map(({ nullable }) => nullable),
      [true, false, true],
    );
    assert.deepEqual(pipeline.steps[1]?.output, { anyOf: [{ type: 'integer' }, { type: 'null' }] });
  });

  it('lets steps of maps use what stands around them', () => {
    const text = withSteps(
      '- { id: a, template: x }\n- id: m\n  map: { over: "[[1], [2]]", as: row, index: i }\n  steps:\n    - id: n\n      map: { over: row, as: cell }\n      steps: [{ id: t, template: "{{ a }} {{ row }} {{ cell }} {{ i }}" }]\n- { id: z, template: x }',
      'm',
    );
    const { steps } = load(text);
    assert.deepEqual(
      steps.map(({ id, after }) => [id, after]),
      [
        ['a', []],
        ['m', ['a']],
        ['z', []],
      ],
    );
    assert.deepEqual(steps[1]?.output, { type: 'array', items: { type: 'array', items: { type: 'string' } } });
  });
});

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
      const found = mistakes(text);
      assert.ok(found.length > 0);
      for (const line of found) assert.match(line, /^(?:\d+:\d+: .|and \d+ more)/);
      assert.ok(performance.now() - before < 3000);
    });
  }

  it('refuses any broken document with a place, and nothing else happens', () => {
    const broken = fc.record({
      at: fc.nat(design.length),
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
        let text = design;
        for (const { at, drop, put } of edits) text = text.slice(0, at) + put + text.slice(at + drop);
        for (const line of mistakes(text)) assert.match(line, /^(?:\d+:\d+: .|and \d+ more)/);
      }),
      { numRuns: 200 },
    );
  });
});

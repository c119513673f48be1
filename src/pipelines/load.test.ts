import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadPipeline } from './load.ts';
import { mistakesIn, triage, withSteps } from './testing/documents.ts';

const load = (text: string) => loadPipeline(text, { file: 'p.yaml' });

describe('loadPipeline', () => {
  it('reads the example of the design', () => {
    const pipeline = load(triage);
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
    assert.equal(pipeline.outputStep, 'route');
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
      [
        withSteps('- { id: a, model: m, prompt: x, output: { type: integer, minimum: 3, maximum: 2 } }'),
        /^3:35: no model can be held to this output: /,
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
      const found = mistakesIn(text);
      assert.ok(
        found.some(line => message.test(line)),
        `${text}\n${message}\n${found.join('\n')}`,
      );
      for (const line of found) assert.match(line, /^\d+:\d+: ./);
    }
  });

  it('names the field that is not there, in expressions and in templates', () => {
    const text = triage.replace('input.ticket }}', 'input.tikcet }}').replace('when: kind ==', 'when: input.tciket ==');
    assert.deepEqual(mistakesIn(text), [
      "6:33: there is no 'tikcet' here; did you mean 'ticket'?",
      "11:17: there is no 'tciket' here; did you mean 'ticket'?",
    ]);
  });

  it('names a place in a text of several lines', () => {
    const text = withSteps(
      '- id: a\n  template: |\n    Hello\n    {{ inptu.x }}\n- id: b\n  branch:\n    - else: >-\n        size(input) +\n        size(c)',
    );
    assert.deepEqual(mistakesIn(text), [
      "6:10: there is no 'inptu' here; did you mean 'input'?",
      "11:16: there is no 'c' here; there are input, a, b",
    ]);
  });

  it('names all mistakes at once, in the order of the lines', () => {
    const found = mistakesIn(
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

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { RealmError } from '../errors.ts';
import { withSteps } from './testing/documents.ts';
import { runScripted as run } from './testing/run-scripted.ts';

describe('maps', () => {
  const map = (more: string) =>
    withSteps(
      `- id: a\n  map: { over: input, as: i, index: k${more} }\n  steps:\n    - { id: b, tool: t, input: i }\n    - { id: c, template: "{{ k }}:{{ b }}" }`,
    );

  it('run so many items at once, and keep their order', async () => {
    let running = 0;
    let most = 0;
    const { value } = await run(
      map(', concurrency: 3'),
      {
        async tool(_, input) {
          most = Math.max(most, ++running);
          await sleep(Number(input) % 3);
          running--;
          return input;
        },
      },
      Array.from({ length: 10 }, (_, i) => i),
    );
    assert.equal(most, 3);
    assert.deepEqual(
      value,
      Array.from({ length: 10 }, (_, i) => `${i}:${i}`),
    );
  });

  it('leave out what fails, if they are told so', async () => {
    const { value, events } = await run(
      map(', on_error: skip'),
      {
        tool: (_, input) => (input === 1 ? Promise.reject(new RealmError('tool_failed', 'one')) : input),
      },
      [0, 1, 2],
    );
    assert.deepEqual(value, ['0:0', '2:2']);
    const failed = events.find(event => event.kind === 'failed');
    assert.deepEqual([failed?.step, failed?.items, failed?.kind === 'failed' && failed.caught], ['a[1].b', [1], true]);
  });

  it('collect what they are told', async () => {
    const { value } = await run(
      map(', collect: \'{"v": c, "n": b + k}\''),
      { tool: (_, input) => Number(input) * 2 },
      [3, 4],
    );
    assert.deepEqual(value, [
      { v: '0:6', n: 6 },
      { v: '1:8', n: 9 },
    ]);
  });

  it('go over 10,000 items, and not over one more', async () => {
    const pipeline = withSteps(
      '- { id: a, map: { over: input, as: i, concurrency: 256 }, steps: [{ id: b, template: "{{ i }}" }] }',
      'size(a)',
    );
    assert.equal((await run(pipeline, {}, Array(10_000).fill(1))).value, 10_000);
    const { error } = await run(pipeline, {}, Array(10_001).fill(1));
    assert.match(
      String(error?.message),
      /'a' failed \(pipeline_failed\): the map goes over 10001 items, where 10000 is the most/,
    );
    assert.match(String((await run(pipeline, {}, { a: 1 })).error?.message), /'over' must be a list/);
    assert.deepEqual(
      (await run(withSteps('- { id: a, map: { over: input, as: i }, steps: [{ id: b, template: x }] }'), {}, null))
        .value,
      null,
    );
  });

  it('make 256 calls at once at most, however they nest', async () => {
    let running = 0;
    let most = 0;
    const pipeline = withSteps(
      '- { id: a, map: { over: input, as: i, concurrency: 64 }, steps: [{ id: b, map: { over: input, as: j, concurrency: 64 }, steps: [{ id: c, tool: t }] }] }',
      'size(a)',
    );
    await run(
      pipeline,
      {
        async tool() {
          most = Math.max(most, ++running);
          await sleep(1);
          running--;
          return 1;
        },
      },
      Array(40).fill(1),
    );
    assert.equal(most, 256);
    assert.equal(running, 0);
  });
});

/** Steps that refer to some of those before them, written down in any order. */
const graphs = fc.integer({ min: 1, max: 12 }).chain(size =>
  fc.record({
    size: fc.constant(size),
    edges: fc.array(fc.tuple(fc.nat(size - 1), fc.nat(size - 1)), { maxLength: 3 * size }),
    order: fc.shuffledSubarray(
      Array.from({ length: size }, (_, i) => i),
      { minLength: size },
    ),
    fails: fc.option(fc.nat(size - 1), { nil: undefined }),
  }),
);

describe('any graph of steps', () => {
  it('runs each step once, after what it refers to; after a failure nothing begins, and nothing is left', async () => {
    await fc.assert(
      fc.asyncProperty(graphs, async ({ size, edges, order, fails }) => {
        const before = (i: number) => [
          ...new Set(edges.filter(([a, b]) => Math.max(a, b) === i && a !== b).map(([a, b]) => Math.min(a, b))),
        ];
        const step = (i: number) =>
          `- { id: s${i}, tool: t${i}, input: [${before(i)
            .map(each => `s${each}`)
            .join(', ')}] }`;
        const pipeline = withSteps(
          order.map(step).join('\n'),
          Array.from({ length: size }, (_, i) => `s${i}`).join(' + '),
        );
        const begun: number[] = [];
        const ended = new Set<number>();
        let running = 0;
        let isOver = false;
        const { value, error, told } = await run(pipeline, {
          async tool(name, input) {
            const i = Number(name.slice(1));
            assert.equal(isOver, false);
            for (const each of before(i)) assert.ok(ended.has(each));
            assert.deepEqual(input, before(i));
            begun.push(i);
            running++;
            await sleep(0);
            running--;
            if (i === fails) {
              isOver = true;
              throw new RealmError('tool_failed', 'x');
            }
            ended.add(i);
            return i;
          },
        });
        assert.equal(running, 0);
        assert.equal(new Set(begun).size, begun.length);
        if (fails === undefined) {
          assert.equal(begun.length, size);
          assert.equal(value, (size * (size - 1)) / 2);
        } else assert.equal(error?.param, `s${fails}`);
        assert.equal(told.filter(each => each.endsWith('started')).length, begun.length);
      }),
      { numRuns: 100 },
    );
  });

  it('tells the same in the same order each time', async () => {
    const text = withSteps(
      `- { id: a, tool: t }
- { id: m, map: { over: input, as: i, concurrency: 7 }, steps: [{ id: n, map: { over: "[a, i]", as: j }, steps: [{ id: c, tool: t, input: j }] }] }
- { id: z, tool: t, input: m }`,
      'z',
    );
    const once = async () =>
      (await run(text, { tool: (_, input) => input ?? 0 }, Array(100).fill(1), { clock: () => 0 })).events;
    const events = await once();
    assert.ok(events.length > 600);
    assert.deepEqual(await once(), events);
  });
});

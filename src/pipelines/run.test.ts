import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { RealmError } from '../errors.ts';
import { loadPipeline } from './load.ts';
import { runPipeline } from './run.ts';
import { withSteps } from './testing/documents.ts';
import { runScripted as run } from './testing/run-scripted.ts';
import { scriptedHost } from './testing/scripted-host.ts';
import type { ModelRequest, PipelineEvent } from './types.ts';

/** Waits until its call is cancelled. */
const forever = ({ signal }: { signal: AbortSignal }) =>
  new Promise<never>((_, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }),
  );

describe('runPipeline', () => {
  it('asks models with prompts, settings and what decoding is held to', async () => {
    const asked: ModelRequest[] = [];
    const pipeline = withSteps(
      `- { id: a, model: m, system: "S {{ input.x }}", prompt: "P {{ input.x }}", output: { enum: [yes_, no_] }, temperature: 0, stop: END }
- { id: b, model: n, completion: "C {{ a }}", output: { type: object, properties: { k: { type: integer } }, required: [k] }, seed: 7 }
- { id: c, model: m, messages: [{ role: user, content: hi }, { role: assistant, content: "{{ b.k }}" }] }`,
      '{"a": a, "b": b.k + 1, "c": c}',
    );
    const { value } = await run(
      pipeline,
      {
        model(request) {
          asked.push(request);
          return request.model === 'n' ? { k: 4 } : request.constraint ? 'yes_' : 'free';
        },
      },
      { x: '{{ 1 + 1 }}<|im_end|>' },
    );
    assert.deepEqual(value, { a: 'yes_', b: 5, c: 'free' });
    assert.deepEqual(asked, [
      {
        model: 'm',
        messages: [
          { role: 'system', content: 'S {{ 1 + 1 }}<|im_end|>' },
          { role: 'user', content: 'P {{ 1 + 1 }}<|im_end|>' },
        ],
        constraint: { kind: 'choice', choices: ['yes_', 'no_'] },
        settings: { temperature: 0, stop: ['END'] },
      },
      {
        model: 'n',
        completion: 'C yes_',
        constraint: {
          kind: 'json_schema',
          schema: '{"type":"object","properties":{"k":{"type":"integer"}},"required":["k"]}',
        },
        settings: { seed: 7 },
      },
      {
        model: 'm',
        messages: [
          { role: 'user', content: 'hi' },
          { role: 'assistant', content: '4' },
        ],
        constraint: undefined,
        settings: {},
      },
    ]);
  });

  it('gives programs and tools what expressions make', async () => {
    const pipeline = withSteps(
      '- { id: a, tool: t, input: { q: input.q, n: 3, l: [size(input.q), true] } }\n- { id: b, wasm: w, input: a.x, output: { type: array, items: { type: integer } } }\n- { id: c, wasm: w }',
      '[a, b, c]',
    );
    const given: unknown[] = [];
    const { value } = await run(
      pipeline,
      {
        tool: (name, input) => {
          given.push(name, input);
          return { x: 1 };
        },
        program: (name, input) => {
          given.push(name, input);
          return input === 1 ? [1, 2] : 'text';
        },
      },
      { q: 'abc' },
    );
    assert.deepEqual(value, [{ x: 1 }, [1, 2], 'text']);
    assert.deepEqual(given, ['t', { q: 'abc', n: 3, l: [3, true] }, 'w', { q: 'abc' }, 'w', 1]);
  });

  it('runs at once what does not wait for each other', async () => {
    const running = new Set<string>();
    let most = 0;
    const pipeline = withSteps(
      '- { id: a, tool: x }\n- { id: b, tool: y }\n- { id: c, tool: z, input: "[a, b]" }',
      'c',
    );
    const { told } = await run(pipeline, {
      async tool(name) {
        running.add(name);
        most = Math.max(most, running.size);
        await sleep(5);
        running.delete(name);
        return name;
      },
    });
    assert.equal(most, 2);
    assert.deepEqual(told, ['a started', 'b started', 'a finished', 'b finished', 'c started', 'c finished']);
  });

  it('skips what is not wanted; its output is null', async () => {
    const pipeline = withSteps(
      '- { id: a, tool: t, when: "input.x > 1" }\n- { id: b, template: "[{{ a }}]" }',
      `'a == null ? "none" : b'`,
      'input: { type: object, properties: { x: { type: integer } } }\n',
    );
    assert.deepEqual((await run(pipeline, {}, { x: 1 })).value, 'none');
    assert.deepEqual((await run(pipeline, { tool: () => 5 }, { x: 2 })).value, '[5]');
    assert.deepEqual((await run(pipeline, {}, { x: 1 })).told, ['a skipped', 'b started', 'b finished']);
  });

  it('refuses an input that is not the pipeline’s, and fills in defaults', async () => {
    const pipeline = withSteps(
      '- { id: a, template: "{{ input.n }}{{ input.w }}" }',
      'a',
      'input: { type: object, properties: { n: { type: integer }, w: { type: string, default: d } }, required: [n] }\n',
    );
    const { error } = await run(pipeline, {}, { n: 'x' });
    assert.equal(error?.code, 'invalid_request');
    assert.equal(error?.param, 'input.n');
    assert.equal((await run(pipeline, {}, { n: 3 })).value, '3d');
    let deep: unknown = 1;
    for (let i = 0; i < 100_000; i++) deep = [deep];
    assert.match(
      String((await run(withSteps('- { id: a, template: x }'), {}, deep)).error?.message),
      /nests deeper than 128/,
    );
  });

  it('takes the first way of a branch that is true', async () => {
    const pipeline = withSteps(
      '- { id: a, branch: [{ when: input.x > 10, use: "\'big\'" }, { when: input.x > 5, use: "\'middle\'" }, { else: input.x }] }',
    );
    const values = await Promise.all([20, 7, 1].map(async x => (await run(pipeline, {}, { x })).value));
    assert.deepEqual(values, ['big', 'middle', 1]);
  });

  it('retries what is named, after a while, and with another seed', async () => {
    const asked: unknown[] = [];
    const pipeline = withSteps(
      '- { id: a, model: m, prompt: x, seed: 5, output: { type: integer }, retry: { on: [constraint_dead_end, output_invalid], max: 2, delay_ms: 1 } }',
    );
    const { value, events } = await run(pipeline, {
      model({ settings }) {
        asked.push(settings.seed);
        if (asked.length === 1) throw new RealmError('constraint_dead_end', 'dead');
        return asked.length === 2 ? '"no number"' : '4';
      },
    });
    assert.equal(value, 4);
    assert.deepEqual(asked, [5, 6, 7]);
    const retries = events.filter(event => event.kind === 'retried');
    assert.deepEqual(
      retries.map(({ code, attempt, delayMs }) => [code, attempt, delayMs]),
      [
        ['constraint_dead_end', 1, 1],
        ['output_invalid', 2, 2],
      ],
    );
    const other = await run(pipeline, { model: () => Promise.reject(new RealmError('engine_failed', 'gone')) });
    assert.match(String(other.error?.message), /^pipeline 'p': the step 'a' failed \(engine_failed\): gone$/);
    assert.equal(other.error?.code, 'pipeline_failed');
    assert.equal(other.error?.param, 'a');
  });

  it('catches what is named', async () => {
    const pipeline = withSteps(
      '- { id: a, tool: t, catch: { on: tool_failed, use: \'error.code + ": " + error.message\' } }\n- { id: b, tool: t, catch: { default: [] } }',
      '[a, b]',
    );
    const { value, told } = await run(pipeline, { tool: () => Promise.reject(new RealmError('tool_failed', 'no')) });
    assert.deepEqual(value, ['tool_failed: no', []]);
    assert.deepEqual(
      told.filter(each => each.startsWith('a')),
      ['a started', 'a failed', 'a finished'],
    );
    const other = await run(pipeline, { tool: () => Promise.reject(new RealmError('tool_not_found', 'no')) });
    assert.match(String(other.error?.message), /the step 'a' failed \(tool_not_found\)/);
  });

  it('ends a step, or the run, that takes too long', async () => {
    const step = withSteps('- { id: a, tool: t, timeout_ms: 10, catch: { on: deadline_exceeded, default: late } }');
    assert.equal((await run(step, { tool: (_, __, call) => forever(call) })).value, 'late');
    const whole = withSteps('- { id: a, tool: t }', 'a', 'timeout_ms: 10\n');
    const { error } = await run(whole, { tool: (_, __, call) => forever(call) });
    assert.equal(error?.code, 'deadline_exceeded');
    assert.match(String(error?.message), /the pipeline 'p' took longer than 10 ms/);
  });

  it('cancels all that runs, and waits for it', async () => {
    const ended: string[] = [];
    const cancel = new AbortController();
    const pipeline = withSteps(
      '- { id: a, tool: a, retry: { max: 3 }, catch: { default: 1 } }\n- { id: b, map: { over: "[1, 2]", as: i, on_error: skip }, steps: [{ id: c, tool: c }] }',
    );
    setTimeout(() => cancel.abort(), 10);
    const { error, told } = await run(
      pipeline,
      { tool: (name, _, call) => forever(call).finally(() => sleep(5).then(() => ended.push(name))) },
      {},
      { signal: cancel.signal },
    );
    assert.equal(error?.code, 'request_cancelled');
    assert.deepEqual(ended, ['a', 'c', 'c']);
    assert.deepEqual(told, ['a started', 'b started', 'b[0].c started', 'b[1].c started']);
    assert.equal((await run(pipeline, {}, {}, { signal: AbortSignal.abort() })).error?.code, 'request_cancelled');
  });

  it('ends all others when a step fails, and waits for them', async () => {
    const ended: string[] = [];
    const pipeline = withSteps(
      '- { id: a, tool: a }\n- { id: b, map: { over: "[1, 2, 3]", as: i, concurrency: 2 }, steps: [{ id: c, tool: c, input: i }] }\n- { id: d, tool: d, input: a }',
    );
    const { error, told } = await run(pipeline, {
      async tool(name, input, call) {
        if (name === 'c' && input === 2) {
          await sleep(5);
          throw new RealmError('tool_failed', 'two');
        }
        return await forever(call).finally(() => ended.push(name));
      },
    });
    assert.match(String(error?.message), /the step 'b\[1\]\.c' failed \(tool_failed\): two$/);
    assert.deepEqual(ended.sort(), ['a', 'c']);
    assert.deepEqual(
      told.filter(each => each.endsWith('failed')),
      ['b[1].c failed', 'b failed'],
    );
    assert.ok(!told.some(each => each.startsWith('d') || each.startsWith('b[2]')));
  });

  it('names what the server did not expect', async () => {
    const { error } = await run(withSteps('- { id: a, tool: t }'), {
      tool: () => Promise.reject(new TypeError('oops')),
    });
    assert.match(String(error?.message), /the step 'a' failed \(internal_error\): oops/);
  });

  it('gives text as it comes, and waits for whoever reads it', async () => {
    const order: string[] = [];
    const pipeline = withSteps('- { id: a, model: m, prompt: x }');
    const host = {
      ...scriptedHost({}),
      generate: async (_: ModelRequest, call: { onText: (text: string) => Promise<void> | undefined }) => {
        for (const text of ['x', 'y']) {
          await call.onText(text);
          order.push(`after ${text}`);
        }
        return 'xy';
      },
    };
    const onEvent = async (event: PipelineEvent) => {
      if (event.kind !== 'text') return;
      await sleep(2);
      order.push(`read ${event.text}`);
    };
    assert.equal(await runPipeline(loadPipeline(pipeline, { file: 'p.yaml' }), {}, host, { onEvent }), 'xy');
    assert.deepEqual(order, ['read x', 'after x', 'read y', 'after y']);
  });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RealmError } from '../../errors.ts';
import type { PipelineEvent } from '../../pipelines/types.ts';
import { RunTrace } from './trace.ts';

const fix = { id: 'fix', kind: 'model', target: 'big', after: [], output: true, nullable: false };
const each = { id: 'each', kind: 'map', after: [], output: true, nullable: false, steps: [fix] };
const pipeline = { name: 'p', steps: [each] } as unknown as ConstructorParameters<typeof RunTrace>[1];
const trace = () => new RunTrace({ id: 'run_1', tenant: 'acme' }, pipeline);

type Rest<E> = E extends unknown ? Omit<E, 'step' | 'id' | 'items' | 'at'> : never;
const event = (at: number, rest: Rest<PipelineEvent>, step = 'each[0].fix'): PipelineEvent =>
  ({ step, id: step.replace(/.*\./, ''), items: [0], at, ...rest }) as PipelineEvent;
const died = { code: 'engine_failed', message: 'it died' } as const;

test('a step of a map is told of with what it calls, its tries and its time', () => {
  const run = trace();
  run.note(event(10.4, { kind: 'started' }));
  run.charge('each[0].fix', { promptTokens: 5, cachedTokens: 1, completionTokens: 2 });
  run.note(event(20, { kind: 'retried', attempt: 1, delayMs: 0, ...died }));
  run.charge('each[0].fix', { promptTokens: 5, cachedTokens: 5, completionTokens: 3 });
  run.note(event(30.6, { kind: 'finished', output: 'x'.repeat(1000) }));
  run.end();
  const [{ kind, target, state, at, ms, retries, usage, error, output } = assert.fail()] = run.steps;
  assert.deepEqual([kind, target, state, at, ms, retries], ['model', 'big', 'complete', 10, 21, 1]);
  assert.deepEqual(usage, { promptTokens: 10, cachedTokens: 6, completionTokens: 5 });
  assert.deepEqual([run.usage, run.state], [usage, 'complete']);
  assert.equal(error?.code, 'engine_failed');
  assert.ok(output!.length <= 401 && output!.startsWith('"xxx'));
});

test('a failure that a catch took is followed by its output, one that a map skips by nothing', () => {
  const run = trace();
  for (const step of ['each[0].fix', 'each[1].fix']) {
    run.note(event(0, { kind: 'started' }, step));
    run.note(event(5, { kind: 'failed', caught: true, ...died }, step));
  }
  run.note(event(6, { kind: 'finished', output: null }));
  run.end();
  assert.deepEqual(
    run.steps.map(({ step, state, error }) => [step, state, error?.code]),
    [
      ['each[0].fix', 'complete', 'engine_failed'],
      ['each[1].fix', 'failed', 'engine_failed'],
    ],
  );
});

test('what has not ended when the run does was cancelled', () => {
  const run = trace();
  run.note(event(0, { kind: 'started' }));
  run.end(new RealmError('request_cancelled', 'left'));
  assert.deepEqual([run.state, run.error?.code, run.steps[0]?.state], ['cancelled', 'request_cancelled', 'cancelled']);
  const failed = trace();
  failed.end(new Error('secret words'));
  assert.deepEqual([failed.state, failed.error?.code], ['failed', 'internal_error']);
});

test('of very many steps the first are told of, and the others counted', () => {
  const run = trace();
  for (let i = 0; i < 600; i++) {
    run.note(event(i, { kind: 'started' }, `each[${i}].fix`));
    run.note(event(i, { kind: 'finished', output: i }, `each[${i}].fix`));
  }
  assert.deepEqual([run.steps.length, run.leftOut], [500, 100]);
});

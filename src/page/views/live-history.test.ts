import assert from 'node:assert/strict';
import { it } from 'node:test';
import { historyOf } from './live-history.ts';

const tenant = (id: string, tokens_per_second: number) => ({ id, running: 1, waiting: 2, tokens_per_second });

it('has a line for each of the busiest tenants, also where one came later', () => {
  const quiet = Array.from({ length: 9 }, (_, i) => tenant(`quiet${i}`, i));
  const { times, speed, requests } = historyOf([
    { time: 1, live: { tenants: quiet } },
    { time: 2, live: { tenants: [...quiet, tenant('busy', 50)] } },
  ]);
  assert.deepEqual(times, [1, 2]);
  assert.deepEqual(
    speed.map(({ name }) => name),
    ['busy', 'quiet4', 'quiet5', 'quiet6', 'quiet7', 'quiet8'],
  );
  assert.deepEqual(speed[0]?.values, [null, 50]);
  assert.deepEqual(
    requests.map(({ values }) => values),
    [
      [9, 10],
      [18, 20],
    ],
  );
});

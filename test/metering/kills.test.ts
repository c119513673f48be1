/** Few of many: `scripts/metering/kills.ts` does as many as one likes, docs/benchmarks.md has the last long runs. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { noPostgres } from '../support/postgres.ts';

const times = 25;
const kinds = [
  { kind: 'sqlite', skip: false },
  { kind: 'postgres', skip: noPostgres },
  { kind: 'database', skip: noPostgres },
] as const;

// They wait more than they compute.
describe('what clients were told is on record', { concurrency: true }, () => {
  for (const { kind, skip } of kinds)
    test(`after ${times} kills: ${kind}`, { skip }, async () => {
      const parameters = ['scripts/metering/kills.ts', kind, String(times)];
      const { stdout } = await promisify(execFile)(process.execPath, parameters);
      assert.ok(JSON.parse(stdout).completed > times, stdout);
    });
});

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';

const seeds = 300;

test(`${seeds} simulated clusters overspend nothing, and nothing of a budget is lost`, async () => {
  // In a process of its own: the test runner follows each promise, and here are millions.
  const { stdout } = await promisify(execFile)(process.execPath, ['scripts/metering/simulate.ts', String(seeds)]);
  const { leastUsable } = JSON.parse(stdout);
  assert.ok(leastUsable >= 0.95, stdout);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { processUsage } from './process-usage.ts';

test('a process is seen as it sees itself', { skip: process.platform !== 'linux' }, () => {
  const before = processUsage(process.pid)!;
  const end = performance.now() + 200;
  while (performance.now() < end);
  const used = processUsage(process.pid)!;
  assert.ok(used.cpuMs > before.cpuMs);
  const ratio = used.residentBytes / process.memoryUsage.rss();
  assert.ok(ratio > 0.8 && ratio < 1.25, `${ratio}`);
});

test('of one that is gone nothing is known', () => assert.equal(processUsage(2 ** 30), undefined));

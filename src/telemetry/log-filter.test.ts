import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LogFilter, type LogSettings } from './log-filter.ts';

function filtered(settings?: LogSettings) {
  const written: string[] = [];
  const filter = new LogFilter({ log: (level, message) => written.push(`${level} ${message}`) }, settings);
  return { filter, written };
}

test('lines below the level are not written, and the level changes while it runs', () => {
  const { filter, written } = filtered();
  const all = () => {
    for (const level of ['debug', 'info', 'warn', 'error'] as const) filter.log(level, 'x');
  };
  all();
  filter.change({ level: 'error' });
  all();
  assert.deepEqual(filter.change({ level: 'debug' }), { level: 'debug', sample: 1 });
  all();
  assert.deepEqual(written, ['info x', 'warn x', 'error x', 'error x', 'debug x', 'info x', 'warn x', 'error x']);
});

test('a sample of the answered requests is written, and every refusal and failure', () => {
  const { filter, written } = filtered({ level: 'info', sample: 0.1 });
  for (let i = 0; i < 1000; i++) filter.log('info', 'request', { status: 200 });
  assert.equal(written.length, 100);
  for (let i = 0; i < 10; i++) {
    filter.log('info', 'request', { status: 429, code: 'queue_full' });
    filter.log('error', 'request', { status: 500, code: 'internal_error' });
    filter.log('info', 'adapter loaded');
  }
  assert.equal(written.length, 130);
  filter.change({ sample: 0 });
  filter.log('info', 'request', { status: 200 });
  assert.equal(written.length, 130);
});

test('a signal turns debugging on, and off again to what was configured', () => {
  const { filter } = filtered({ level: 'warn', sample: 1 });
  assert.ok(!filter.wants('debug'));
  filter.toggleDebug();
  assert.ok(filter.wants('debug'));
  assert.equal(filter.toggleDebug().level, 'warn');
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLogger } from './log.ts';

function lines(format: 'json' | 'text') {
  const written: string[] = [];
  const now = () => new Date('2026-01-02T03:04:05.678Z');
  return { written, ...createLogger({ format, write: line => written.push(line), now }) };
}

test('a JSON line holds time, level, message and fields', () => {
  const { log, written } = lines('json');
  log('info', 'request', { request_id: 'req_1', status: 200, code: undefined });
  assert.equal(written.length, 1);
  assert.deepEqual(JSON.parse(written[0] ?? ''), {
    time: '2026-01-02T03:04:05.678Z',
    level: 'info',
    message: 'request',
    request_id: 'req_1',
    status: 200,
  });
});

test('a text line cannot be broken or coloured by a value', () => {
  const { log, written } = lines('text');
  log('warn', 'hello there', { a: 'x y', b: 'line\n2', c: '\x1b[31m\x9b', d: 1, e: 'a=b', f: '' });
  assert.equal(
    written[0],
    '03:04:05.678 warn hello there a="x y" b="line\\n2" c="\\u001b[31m\\u009b" d=1 e="a=b" f=""\n',
  );
});

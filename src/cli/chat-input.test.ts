import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChatLines } from './chat-input.ts';

/** What lines come to, one after the other. */
function inputsOf(...lines: readonly string[]): unknown[] {
  const chat = new ChatLines();
  return lines.map(line => chat.push(line)).filter(input => input !== undefined);
}
const message = (text: string) => ({ kind: 'message', text });

test('a line is a message, and an empty one is nothing', () => {
  assert.deepEqual(inputsOf('Hello', '', '   ', ' and again '), [message('Hello'), message(' and again ')]);
});

test('a line that ends with a backslash goes on, over empty lines too', () => {
  assert.deepEqual(inputsOf('one\\', '\\', 'two', 'three'), [message('one\n\ntwo'), message('three')]);
  assert.deepEqual(inputsOf('\\', ''), []);
});

test('three quotes are around a message of several lines, commands and backslashes among them', () => {
  assert.deepEqual(inputsOf('"""', 'one', '', '/help', 'two\\', '"""'), [message('one\n\n/help\ntwo\\')]);
  assert.deepEqual(inputsOf('"""one', 'two"""', '"""three"""'), [message('one\ntwo'), message('three')]);
  assert.deepEqual(inputsOf('"""', '"""'), []);
});

test('a message that has begun is open until it ends or is forgotten', () => {
  const chat = new ChatLines();
  chat.push('"""one');
  assert.ok(chat.isOpen);
  chat.reset();
  assert.ok(!chat.isOpen);
  assert.deepEqual(chat.push('two'), message('two'));
});

test('a word behind a slash is a command, a path is not', () => {
  const kinds = inputsOf('/help', '/?', '/clear', '/exit', '/bye').map(input => (input as { kind: string }).kind);
  assert.deepEqual(kinds, ['help', 'help', 'clear', 'end', 'end']);
  assert.deepEqual(inputsOf('/hepl', '/etc/hosts', '/help me'), [
    { kind: 'unknown', command: '/hepl' },
    message('/etc/hosts'),
    message('/help me'),
  ]);
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { constraintOf, messagesOf, stopsOf, textOf } from './input.ts';
import { requireNode } from './node-version.ts';

const refused = (param: string) => ({ code: 'invalid_request', param });
// biome-ignore lint/suspicious/noExplicitAny: callers in JavaScript have no types
const untyped = (value: unknown) => value as any;

describe('what a caller gives', () => {
  it('is one message of a user, where it is a text', () => {
    assert.deepEqual(messagesOf('Hello'), [{ role: 'user', content: 'Hello' }]);
  });

  it('is refused by the name of the first that is wrong', () => {
    for (const messages of [[], undefined, 5, {}])
      assert.throws(() => messagesOf(untyped(messages)), refused('messages'));
    const said = { role: 'user', content: 'Hello' };
    assert.throws(() => messagesOf(untyped([said, null])), refused('messages[1].role'));
    assert.throws(() => messagesOf(untyped([said, { role: 'user' }])), refused('messages[1].content'));
    assert.throws(() => textOf(untyped(undefined), 'prompt'), refused('prompt'));
  });

  it('has one constraint, or none', () => {
    assert.equal(constraintOf(undefined), undefined);
    assert.deepEqual(constraintOf({ schema: { type: 'object' } }), {
      kind: 'json_schema',
      schema: '{"type":"object"}',
    });
    assert.deepEqual(constraintOf({ regex: 'a+' }), { kind: 'regex', pattern: 'a+' });
    assert.deepEqual(constraintOf({ grammar: 'root ::= "a"' }), { kind: 'gbnf', grammar: 'root ::= "a"' });
    assert.deepEqual(constraintOf({ choice: ['a', 'b'] }), { kind: 'choice', choices: ['a', 'b'] });
    for (const wrong of [null, {}, 5, { regex: /a/ }, { schema: '{}' }, { choice: 'a' }, { regex: 'a', choice: ['a'] }])
      assert.throws(() => constraintOf(untyped(wrong)), refused('constraint'));
  });

  it('has stop strings as one or as a list, none of them empty', () => {
    assert.deepEqual([stopsOf(undefined), stopsOf('.'), stopsOf(['a', 'b'])], [[], ['.'], ['a', 'b']]);
    for (const stop of ['', [''], [5], 5, null]) assert.throws(() => stopsOf(untyped(stop)), refused('stop'));
  });
});

describe('an old Node', () => {
  it('is refused by its number', () => {
    assert.throws(() => requireNode('20.11.1'), { code: 'engine_failed', message: /20\.11\.1/ });
    requireNode('24.0.0');
    requireNode();
  });
});

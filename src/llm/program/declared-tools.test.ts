import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { declaredTools } from './declared-tools.ts';

const tool = (name: unknown, parameters?: unknown, type: unknown = 'function') => ({
  type,
  function: { name, parameters },
});

describe('the tools that a program declares', () => {
  it('are a list, alone or as tools of an object', () => {
    const tools = [tool('add', { type: 'object' }), tool('now')];
    const declared = [
      { name: 'add', parameters: '{"type":"object"}' },
      { name: 'now', parameters: '{"type":"object","properties":{}}' },
    ];
    for (const value of [tools, { tools }]) {
      assert.deepEqual(declaredTools(JSON.stringify(value)), { declared, choice: 'auto', parallel: true });
    }
    assert.equal(declaredTools(JSON.stringify(tools), 'required')?.choice, 'required');
  });

  it('may be none', () => {
    for (const text of ['', ' ', '[]', '{}', 'null', '{"tools":null}', '3'])
      assert.equal(declaredTools(text), undefined);
  });

  it('are refused by the field at fault', () => {
    const refused: readonly [unknown, RegExp][] = [
      [{ tools: 'x' }, /^The program's tools: must be a list$/],
      [[null], /^The program's tools: \[0\]\.type: must be "function"$/],
      [[tool('a', {}, 'f')], /\[0\]\.type: must be "function"$/],
      [[tool('a'), tool('a b')], /\[1\]\.function\.name: must be a name of at most 128 letters/],
      [[tool(7)], /\[0\]\.function\.name: must be a name/],
      [[tool('a', 'x')], /\[0\]\.function\.parameters: must be a JSON Schema, an object$/],
      [[tool('a', [])], /parameters: must be a JSON Schema, an object$/],
      [[tool('a'), tool('a')], /\[1\]\.function\.name: two tools are named a$/],
    ];
    for (const [value, message] of refused) {
      assert.throws(() => declaredTools(JSON.stringify(value)), { code: 'invalid_request', message });
    }
    assert.throws(() => declaredTools('['), { code: 'invalid_request', message: /are no JSON/ });
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GrammarBuilder } from './grammar-builder.ts';

describe('the maker of grammars', () => {
  it('lets rules be used before they are defined', () => {
    const builder = new GrammarBuilder();
    const list = builder.declare('list');
    const item = builder.lexeme('item', builder.regexes.literal('x'));
    builder.define(list, [[], [item, builder.use(list)]]);
    const grammar = builder.build(list);
    assert.equal(grammar.start, list);
    assert.deepEqual(grammar.rules, [{ name: 'list', alternatives: [[], [item, { kind: 'rule', rule: list }]] }]);
  });

  it('keeps one lexeme for one regular expression', () => {
    const builder = new GrammarBuilder();
    const first = builder.lexeme('first', builder.regexes.literal('x'));
    assert.deepEqual(builder.lexeme('second', builder.regexes.literal('x')), first);
    assert.notDeepEqual(builder.lexeme('third', builder.regexes.literal('x'), { greedy: true }), first);
  });

  it('refuses what is not defined, and too many symbols', () => {
    const builder = new GrammarBuilder();
    const rule = builder.declare('later');
    assert.throws(() => builder.build(rule), { code: 'grammar_invalid', message: /'later'/ });
    const item = builder.lexeme('item', builder.regexes.literal('x'));
    assert.throws(() => builder.define(rule, [Array(500_000).fill(item)]), { code: 'grammar_limit' });
  });
});

/** Grammars made to take long: refused, or run all the same. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Token } from '../tokenizer/types.ts';
import { compile } from './constraint.ts';
import type { RuleId } from './grammar.ts';
import { GrammarBuilder } from './grammar-builder.ts';
import { vocabularyOf } from './vocabulary.ts';

const letters = vocabularyOf({
  vocabSize: 3,
  endOfGeneration: new Set([2 as Token]),
  bytes: token => (token === 2 ? new Uint8Array() : Uint8Array.of(97 + token)),
});
const [a, b] = [0, 1] as Token[];
const mask = new Uint32Array(1);

describe('grammars made to take long', () => {
  it('run where a text can be read in ever so many ways', () => {
    const builder = new GrammarBuilder();
    const rules = Array.from({ length: 60 }, (_, index) => builder.declare(`r${index}`));
    const x = builder.lexeme('a', builder.regexes.literal('a'));
    rules.forEach((rule, index) => {
      const next = rules[index + 1];
      builder.define(rule, next === undefined ? [[x]] : [[builder.use(next), builder.use(next)], [builder.use(next)]]);
    });
    const state = compile(builder.build(rules[0]), builder.regexes, letters).start();
    for (let count = 0; count < 3; count++) {
      state.mask(mask);
      assert.deepEqual([...mask], [count === 0 ? 1 : 5]);
      assert.ok(state.accept(a));
    }
  });

  it('are refused while they run where too much is possible at once', () => {
    const builder = new GrammarBuilder();
    const rule = builder.declare('s');
    const x = builder.lexeme('a', builder.regexes.literal('a'));
    builder.define(rule, [[builder.use(rule), builder.use(rule)], [x]]);
    const state = compile(builder.build(rule), builder.regexes, letters).start();
    const walk = (): void => {
      for (let count = 0; count < 5_000; count++) assert.ok(state.accept(a));
    };
    assert.throws(walk, { code: 'grammar_limit' });
  });

  it('are refused by one mask alike, whatever was found out before', () => {
    const longest = 400;
    const runs = vocabularyOf({
      vocabSize: longest + 1,
      endOfGeneration: new Set([0 as Token]),
      bytes: token => new Uint8Array(token).fill(97),
    });
    const begin = () => {
      const builder = new GrammarBuilder();
      const rules = Array.from({ length: longest }, (_, index) => builder.declare(`r${index}`));
      const x = builder.lexeme('a', builder.regexes.literal('a'));
      const y = builder.lexeme('b', builder.regexes.literal('b'));
      rules.forEach((rule, index) => {
        const next = rules[index + 1];
        const others = Array.from({ length: 550 }, () => [y]);
        builder.define(rule, [next === undefined ? [x] : [x, builder.use(next)], ...others]);
      });
      return compile(builder.build(rules[0]), builder.regexes, runs).start();
    };
    const wide = new Uint32Array(13);
    assert.throws(() => begin().mask(wide), { code: 'grammar_limit' });
    const known = begin();
    for (let count = 0; count < longest; count++) assert.ok(known.accept(1 as Token));
    known.rollback(longest);
    assert.throws(() => known.mask(wide), { code: 'grammar_limit' });
  });

  it('are refused where whether anything matches takes too long to find', () => {
    const builder = new GrammarBuilder();
    const r = builder.regexes;
    const any = r.chars([[97, 98]]);
    const parts = [2, 3, 5, 7, 11, 13, 17, 19, 23].map(prime =>
      r.concat([r.repeat(r.repeat(any, prime, prime), 0), r.repeat(any, 1, prime - 1)]),
    );
    const never = r.concat([r.repeat(any, 1), r.literal('c')]);
    const rule = builder.declare('s');
    builder.define(rule, [
      [builder.lexeme('never', r.and([...parts, r.or([r.repeat(any, 0), never]), r.not(r.repeat(any, 0, 90_000))]))],
    ]);
    assert.throws(() => compile(builder.build(rule), r, letters), { code: 'grammar_limit' });
  });

  it('cost nothing for a large count', () => {
    const builder = new GrammarBuilder();
    const r = builder.regexes;
    const rule: RuleId = builder.declare('s');
    builder.define(rule, [[builder.lexeme('many', r.repeat(r.chars([[97, 98]]), 0, 65_536))]]);
    const constraint = compile(builder.build(rule), r, letters);
    assert.ok(r.units < 100);
    const state = constraint.start();
    for (let count = 0; count < 65_536; count++) assert.ok(state.accept(count % 2 === 0 ? a : b));
    assert.ok(!state.accept(a));
    state.mask(mask);
    assert.deepEqual([...mask], [4]);
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Token } from '../tokenizer/types.ts';
import { type Constraint, type ConstraintState, compile } from './constraint.ts';
import type { Grammar, GrammarSymbol, RuleId } from './grammar.ts';
import { GrammarBuilder } from './grammar-builder.ts';
import { maskWords, type VocabularySource, vocabularyOf } from './vocabulary.ts';

const encoder = new TextEncoder();

/** A vocabulary of these texts; then two special tokens, of which the second ends an answer. */
function vocabularyFrom(texts: readonly string[]): VocabularySource & { special: Token; end: Token } {
  const bytes = [...texts.map(text => encoder.encode(text)), new Uint8Array(), new Uint8Array()];
  const end = (texts.length + 1) as Token;
  return {
    vocabSize: bytes.length,
    endOfGeneration: new Set([end]),
    bytes: token => bytes[token],
    special: texts.length as Token,
    end,
  };
}

const texts = ['a', 'b', 'c', 'ab', 'ba', 'aa', 'abc', 'cab', 'bbb', 'caba', 'é', 'aé', 'b'];
const source = vocabularyFrom(texts);
const vocabulary = vocabularyOf(source);

function masked(state: ConstraintState): number[] {
  const mask = new Uint32Array(maskWords(vocabulary.size));
  try {
    state.mask(mask);
  } catch (error) {
    assert.equal((error as { code?: string }).code, 'constraint_dead_end');
    return [];
  }
  return Array.from({ length: vocabulary.size }, (_, token) => token).filter(
    token => (mask[token >> 5] >>> (token & 31)) & 1,
  );
}

/** A grammar of `rules`; a rule's alternatives are its lines, upper case letters are rules, others lexemes, ! is special. */
function grammarOf(rules: Readonly<Record<string, readonly string[]>>): { builder: GrammarBuilder; grammar: Grammar } {
  const builder = new GrammarBuilder();
  const ids = new Map<string, RuleId>(Object.keys(rules).map(name => [name, builder.declare(name)]));
  const r = builder.regexes;
  const symbol = (char: string): GrammarSymbol => {
    const rule = ids.get(char);
    if (rule !== undefined) return builder.use(rule);
    if (char === '!') return { kind: 'tokens', tokens: [source.special] };
    if (char === '*') return builder.lexeme('ab*', r.concat([r.literal('a'), r.repeat(r.literal('b'), 0)]));
    if (char === '?') return builder.lexeme('c?', r.repeat(r.literal('c'), 0, 1));
    return builder.lexeme(char, r.literal(char));
  };
  for (const [name, alternatives] of Object.entries(rules)) {
    builder.define(
      ids.get(name)!,
      alternatives.map(alternative => Array.from(alternative, symbol)),
    );
  }
  return { builder, grammar: builder.build(ids.get('S')!) };
}

function constraintOf(rules: Readonly<Record<string, readonly string[]>>): Constraint {
  const { builder, grammar } = grammarOf(rules);
  return compile(grammar, builder.regexes, vocabulary);
}

const matches = (constraint: Constraint, text: string): boolean => {
  const state = constraint.start();
  return (
    Array.from(text, char => texts.indexOf(char) as Token).every(token => state.accept(token)) && state.isAccepting
  );
};

/** Each text followed by each of the others, as far as that is not longer than `most`. */
const joined = (texts: Iterable<string>, others: Iterable<string>, most: number): Set<string> =>
  new Set([...texts].flatMap(text => [...others].map(more => text + more)).filter(text => text.length <= most));

/** All texts of up to `most` characters that the rules make, by trying out everything. */
function language(rules: Readonly<Record<string, readonly string[]>>, most: number): Set<string> {
  const known = new Map(Object.keys(rules).map(name => [name, new Set<string>()]));
  const of = (symbol: string): Iterable<string> => {
    if (known.has(symbol)) return known.get(symbol)!;
    if (symbol === '*') return Array.from({ length: most }, (_, index) => `a${'b'.repeat(index)}`);
    return symbol === '?' ? ['', 'c'] : [symbol];
  };
  for (let changed = true; changed; ) {
    changed = false;
    for (const [name, alternatives] of Object.entries(rules)) {
      for (const alternative of alternatives) {
        let made = new Set(['']);
        for (const symbol of alternative) made = joined(made, of(symbol), most);
        const all = known.get(name)!;
        for (const text of made) {
          changed ||= !all.has(text);
          all.add(text);
        }
      }
    }
  }
  return known.get('S')!;
}

const alternative = fc.array(fc.constantFrom('S', 'A', 'B', 'a', 'b', 'c', '*', '?', 'a', 'b'), { maxLength: 4 });
const alternatives = fc.array(
  alternative.map(symbols => symbols.join('')),
  { minLength: 1, maxLength: 3 },
);
const rulesets = fc.record({ S: alternatives, A: alternatives, B: alternatives });
/** All of up to four of these characters. */
const words = [0, 1, 2, 3].reduce(
  all => [...new Set(all.flatMap(word => ['', 'a', 'b', 'c'].map(char => word + char)))],
  [''],
);

describe('a constraint', () => {
  it('accepts what the grammar makes and nothing else, and allows what can become that', () => {
    fc.assert(
      fc.property(rulesets, rules => {
        const all = language(rules, 4);
        if (all.size === 0) return;
        const constraint = constraintOf(rules);
        for (const word of words)
          assert.equal(matches(constraint, word), all.has(word), `${JSON.stringify(rules)} ${word}`);
      }),
      { numRuns: 400 },
    );
  });

  it('refuses a grammar that matches nothing', () => {
    assert.throws(() => constraintOf({ S: ['aS', 'Sb'] }), { code: 'grammar_invalid' });
  });

  it('has masks of exactly the tokens that it accepts, and walks by them end in what the grammar makes', () => {
    fc.assert(
      fc.property(rulesets, fc.array(fc.nat(1000), { minLength: 1, maxLength: 6 }), (rules, choices) => {
        const all = language(rules, 6);
        if (all.size === 0) return;
        const state = constraintOf(rules).start();
        let text = '';
        for (const choice of choices) {
          const tokens = masked(state);
          for (let token = 0; token < vocabulary.size; token++) {
            assert.equal(state.allows(token as Token), tokens.includes(token), `token ${token}`);
          }
          assert.equal(tokens.includes(source.end), state.isAccepting);
          assert.ok(tokens.length > 0, JSON.stringify(rules));
          const token = tokens[choice % tokens.length] as Token;
          if (token === source.end) break;
          assert.ok(state.accept(token));
          text += texts[token];
          if (text.length <= 6) assert.equal(state.isAccepting, all.has(text), text);
        }
      }),
      { numRuns: 400 },
    );
  });

  it('is where its tokens lead, through forks and going back', () => {
    const constraint = constraintOf({ S: ['A', 'SS'], A: ['aSb', 'ab', '*c'] });
    fc.assert(
      fc.property(
        fc.array(fc.nat(1000), { maxLength: 8 }),
        fc.array(fc.nat(1000), { maxLength: 5 }),
        (first, second) => {
          const walk = (state: ConstraintState, choices: number[]): Token[] =>
            choices.flatMap(choice => {
              const tokens = masked(state).filter(token => token !== source.end);
              return tokens.length > 0 && state.accept(tokens[choice % tokens.length] as Token)
                ? [tokens[choice % tokens.length] as Token]
                : [];
            });
          const state = constraint.start();
          const tokens = walk(state, first);
          const fork = state.fork();
          const taken = walk(state, second);
          const far = masked(state);
          state.rollback(taken.length);
          const replayed = constraint.start();
          for (const token of tokens) assert.ok(replayed.accept(token));
          assert.deepEqual(masked(state), masked(replayed));
          assert.deepEqual(masked(fork), masked(replayed));
          for (const token of taken) assert.ok(fork.accept(token));
          assert.deepEqual(masked(fork), far);
        },
      ),
    );
  });

  it('takes tokens that the grammar names by number only', () => {
    const state = constraintOf({ S: ['a!b', 'aS'] }).start();
    assert.ok(!state.allows(source.special));
    assert.ok(state.accept(texts.indexOf('a') as Token));
    assert.ok(masked(state).includes(source.special));
    assert.ok(state.accept(source.special));
    assert.deepEqual(
      masked(state).map(token => texts[token]),
      ['b', 'b'],
    );
    assert.ok(!state.allows(source.end));
    assert.ok(state.accept(texts.indexOf('b') as Token));
    assert.deepEqual(masked(state), [source.end]);
  });

  it('knows what must come next', () => {
    const forced = (state: ConstraintState) => {
      const { bytes, isWhole, token } = state.forced();
      return [new TextDecoder().decode(bytes), isWhole, token];
    };
    const state = constraintOf({ S: ['abA'], A: ['cabé', 'caba'] }).start();
    assert.deepEqual(forced(state), ['abcab', false, undefined]);
    assert.ok(state.accept(texts.indexOf('abc') as Token));
    assert.deepEqual(forced(state), ['ab', false, undefined]);
    assert.deepEqual(forced(constraintOf({ S: ['', 'a'] }).start()), ['', false, undefined]);
    assert.deepEqual(forced(constraintOf({ S: ['ab'] }).start()), ['ab', true, undefined]);
    assert.deepEqual(forced(constraintOf({ S: ['ab!c'] }).start()), ['ab', true, source.special]);
    assert.deepEqual(forced(constraintOf({ S: ['ab', 'ab!'] }).start()), ['ab', true, undefined]);
    assert.deepEqual(forced(constraintOf({ S: ['abA'], A: ['!', 'a'] }).start()), ['ab', false, undefined]);
  });

  it('stops where the vocabulary has nothing that fits', () => {
    const state = constraintOf({ S: ['x'] }).start();
    assert.throws(() => state.mask(new Uint32Array(1)), { code: 'constraint_dead_end' });
  });

  it('keeps no more of a list the longer it is, however it recurs', () => {
    for (const rules of [{ S: ['a', 'aS'] }, { S: ['a', 'Sa'] }, { S: ['A'], A: ['aB', 'a'], B: ['bA'] }]) {
      const constraint = constraintOf(rules as Record<string, string[]>);
      const state = constraint.start();
      const token = (char: string): Token => texts.indexOf(char) as Token;
      const step = (): boolean => state.accept(token('a')) && (!('B' in rules) || state.accept(token('b')));
      for (let count = 0; count < 10; count++) assert.ok(step());
      const before = constraint.automaton.size;
      for (let count = 0; count < 500; count++) assert.ok(step());
      assert.equal(constraint.automaton.size, before, JSON.stringify(rules));
    }
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compile } from '../../constrain/constraint.ts';
import { GrammarBuilder } from '../../constrain/grammar-builder.ts';
import { vocabularyOf } from '../../constrain/vocabulary.ts';
import type { Token } from '../../tokenizer/types.ts';
import { ConstrainedAnswer } from './constrained-answer.ts';

const texts = ['a', 'b', 'c', 'ab', 'abc', 'cab', 'd', ''];
const marker = 7 as Token;
const vocabulary = vocabularyOf({
  vocabSize: texts.length,
  endOfGeneration: new Set(),
  bytes: token => new TextEncoder().encode(texts[token]),
});

/** Of texts, one after the other; ! is the marker, and text with a | is a choice. */
function answerTo(...parts: readonly string[]): ConstrainedAnswer {
  const builder = new GrammarBuilder();
  const start = builder.declare('start');
  const { regexes: r } = builder;
  const symbols = parts.map(part =>
    part === '!'
      ? ({ kind: 'tokens', tokens: [marker] } as const)
      : builder.lexeme(part, r.or(part.split('|').map(text => r.literal(text)))),
  );
  builder.define(start, [symbols]);
  return new ConstrainedAnswer(compile(builder.build(start), r, vocabulary));
}

describe('what must come', () => {
  const said = (answer: ConstrainedAnswer, most = 9) =>
    answer.forced(most).map(token => (token === marker ? '!' : texts[token]));

  it('is said in the longest tokens, but for the last ones, which may go on in what follows', () => {
    assert.deepEqual(said(answerTo('dda', 'b|c')), ['d', 'd']);
    assert.deepEqual(said(answerTo('ddabc', 'b|c')), ['d', 'd', 'abc']);
    assert.deepEqual(said(answerTo('ddabc', 'b|c'), 2), ['d', 'd']);
    assert.deepEqual(said(answerTo('a|b')), []);
  });

  it('is said to its end where no text follows', () => {
    assert.deepEqual(said(answerTo('dda')), ['d', 'd', 'a']);
    assert.deepEqual(said(answerTo('dda', '!', 'b|c')), ['d', 'd', 'a', '!']);
    assert.deepEqual(said(answerTo('!', 'b|c')), ['!']);
    assert.deepEqual(said(answerTo('dda', '!'), 3), ['d', 'd', 'a']);
  });
});

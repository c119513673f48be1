import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compile } from '../../constrain/constraint.ts';
import { vocabularyOf } from '../../constrain/vocabulary.ts';
import { grammarOf } from '../../output-format/compile.ts';
import type { Token } from '../../tokenizer/types.ts';
import type { SequenceId } from '../request.ts';
import { createSequence } from '../sequence.ts';
import { AnswerStates } from './answer-states.ts';
import { ConstrainedAnswer } from './constrained-answer.ts';

const texts = ['a', 'b', 'c', 'ab', 'abc', ''];
const vocabulary = vocabularyOf({
  vocabSize: texts.length,
  endOfGeneration: new Set([5 as Token]),
  bytes: token => new TextEncoder().encode(texts[token]),
});
const constraintOf = (pattern: string) => {
  const { grammar, regexes } = grammarOf({ kind: 'regex', pattern }, new Map());
  return compile(grammar, regexes, vocabulary);
};

const sequenceOf = (prompt: readonly Token[], answered: number) =>
  createSequence({ id: 0 as SequenceId, tenant: 'a', priority: 0, limit: 1e6, prompt, answered, keepsTail: true });

const maskOf = (answer: ConstrainedAnswer): number => {
  const mask = new Uint32Array(1);
  answer.masks([], mask, 1);
  return mask[0]!;
};

const letters = fc.array(fc.constantFrom(...([0, 1, 2, 3, 4] as Token[])), { maxLength: 12 });

test('wherever an answer is gone on with, it is where a replay would be', async () => {
  const constraints = [constraintOf('(abc|ab*c|[ab]{1,9})*'), constraintOf('[a-c]*')];
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(letters, fc.nat(1), fc.nat(12), letters), { maxLength: 12 }), async turns => {
      const states = new AnswerStates();
      let before: Token[] = [];
      for (const [own, which, kept, more] of turns) {
        const tokens = [...before.slice(0, kept), ...own];
        const constraint = constraints[which]!;
        const plain = new ConstrainedAnswer(constraint);
        const count = tokens.findIndex(token => !plain.accept(token));
        const right = count < 0 ? tokens : tokens.slice(0, count);
        const answer = await states.begin(constraint, right);
        if (count >= 0) assert.throws(() => states.begin(constraint, tokens), { code: 'invalid_request' });
        assert.equal(maskOf(answer), maskOf(plain));
        const said = [...right, ...more.filter(token => answer.accept(token) && plain.accept(token))];
        assert.equal(maskOf(answer), maskOf(plain));
        states.keep(sequenceOf([9 as Token, ...said], said.length), answer);
        before = said;
      }
    }),
  );
});

test('a long answer is replayed in turns, and what breaks its constraint is said', async () => {
  const states = new AnswerStates();
  const constraint = constraintOf('[ab]*c');
  const tokens = Array.from({ length: 5000 }, (_, i) => (i % 2) as Token);
  const replay = states.begin(constraint, tokens);
  assert.ok(replay instanceof Promise);
  const answer = await replay;
  assert.ok(answer.accept(2 as Token) && answer.isOver);
  await assert.rejects(async () => states.begin(constraint, [...tokens, 2 as Token, 0 as Token]), {
    code: 'invalid_request',
    message: /number 5002 of the 5002/,
  });
  states.keep(sequenceOf([...tokens, 2 as Token], 5001), answer);
  assert.ok(!(states.begin(constraint, tokens) instanceof Promise), 'it is known by now');
});

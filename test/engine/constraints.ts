/** Constraints on the scripted model's 32 tokens: token 0 ends an answer, the others are letters and a few pairs of them. */
import { compile } from '../../src/constrain/constraint.ts';
import { vocabularyOf } from '../../src/constrain/vocabulary.ts';
import { type ConstraintCompiler, localCompiler } from '../../src/engine/constraint/compiler.ts';
import { grammarOf } from '../../src/output-format/compile.ts';
import type { ConstraintSource } from '../../src/output-format/constraint-source.ts';
import type { Token } from '../../src/tokenizer/types.ts';

/** By token; the model never says the poison, which is 1. */
export const texts: readonly string[] = ['', '', ...'abcdefghijklmnopqrstuvwxyz', 'ab', 'bc', 'abc', 'xyz'];

const vocabulary = vocabularyOf({
  vocabSize: 32,
  endOfGeneration: new Set([0 as Token]),
  bytes: token => new TextEncoder().encode(texts[token] ?? ''),
});

export const scriptedCompiler = (): ConstraintCompiler => localCompiler(() => vocabulary);

/** The same, made anew: nothing that another use found out is in it. */
export function constraintOf(source: ConstraintSource) {
  const { grammar, regexes } = grammarOf(source);
  return compile(grammar, regexes, vocabulary);
}

/** Ends early, late or never; some bytes are forced; some tokens are ambiguous. */
export const sources: readonly ConstraintSource[] = [
  { kind: 'regex', pattern: '[a-f]{0,40}' },
  { kind: 'regex', pattern: '(abc|abd|xyz)*q' },
  { kind: 'regex', pattern: '(hello|help|[a-c]+world){3,9}' },
  { kind: 'choice', choices: ['abcxyzabcxyz', 'abcab', 'z'] },
  { kind: 'gbnf', grammar: 'root ::= "a" root "b" | "c" | root root' },
];

export const textOf = (tokens: readonly number[]): string => tokens.map(token => texts[token]).join('');

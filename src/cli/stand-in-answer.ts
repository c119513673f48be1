import { type Constraint, type ConstraintState, compile } from '../constrain/constraint.ts';
import { GrammarBuilder } from '../constrain/grammar-builder.ts';
import { maskWords, vocabularyOf } from '../constrain/vocabulary.ts';
import type { TokenLogprob } from '../engine/request.ts';
import type { ConstraintSource } from '../output-format/constraint-source.ts';
import { constraintGrammar } from '../output-format/grammar.ts';
import type { Submission, Submitted } from '../sandbox/v2/types.ts';
import type { Token } from '../tokenizer/types.ts';

/** What it says where nothing constrains it. */
export const sentence = 'This is what a model may say.';

/** Tokens are bytes, and this one, which ends a text. */
export const END = 256 as Token;
export const vocabSize = 257;

const tokenizer = {
  vocabSize,
  endOfGeneration: new Set([END]),
  bytes: (token: Token) => (token < END ? Uint8Array.of(token) : new Uint8Array()),
};

export const tokensOf = (text: string): Int32Array => Int32Array.from(new TextEncoder().encode(text));

export const textOf = (tokens: Iterable<number>): string =>
  new TextDecoder().decode(Uint8Array.from([...tokens].filter(token => token < END)));

export function compiled(source: ConstraintSource): Constraint {
  const builder = new GrammarBuilder();
  return compile(constraintGrammar(source, new Map(), builder), builder.regexes, vocabularyOf(tokenizer));
}

/** The sentence, or what is soon over among what a constraint allows. Masks and biases change nothing. */
export async function generated(
  submission: Submission,
  signal: AbortSignal,
  onText?: (text: string) => Promise<void> | undefined,
): Promise<Submitted> {
  const { answered, maxTokens, minTokens, stopTokens, ignoreEnds, keepEnd, constraint } = submission;
  const state = constraint && compiled(constraint).start();
  for (const token of answered === 0 ? [] : submission.tokens.subarray(-answered)) state?.accept(token as Token);
  const tokens: Token[] = [];
  while (tokens.length < maxTokens && !signal.aborted) {
    const token = state ? soonOver(state) : spoken(answered + tokens.length);
    const ends = token === END ? !ignoreEnds && tokens.length >= minTokens : stopTokens.includes(token);
    if (!ends || keepEnd) tokens.push(token);
    if (ends) return said(submission, tokens, 'stop');
    state?.accept(token);
    await onText?.(textOf([token]));
  }
  return said(submission, tokens, signal.aborted ? 'cancelled' : 'length');
}

const spoken = (at: number): Token => (sentence.charCodeAt(at % (sentence.length + 1)) || END) as Token;

/** What brings the end of a text, then what closes something, then whatever comes first. */
const wanted = [END, ...tokensOf('"}],:0[{')] as Token[];

function soonOver(state: ConstraintState): Token {
  const mask = new Uint32Array(maskWords(vocabSize));
  state.mask(mask);
  const allows = (token: number) => ((mask[token >> 5]! >>> (token & 31)) & 1) === 1;
  // Anything printable goes before spaces, of which some constraints allow any number.
  const others = Array.from({ length: END }, (_, at) => ((at + 0x21) % END) as Token);
  return [...wanted, ...others].find(allows) ?? END;
}

function said({ topLogprobs, scored }: Submission, tokens: readonly Token[], reason: Submitted['reason']): Submitted {
  return {
    tokens: Uint32Array.from(tokens),
    reason,
    ...(topLogprobs !== undefined && { logprobs: tokens.map(token => logprobOf(token, topLogprobs)) }),
    ...(scored && { scores: new Float32Array(tokens.length * scored.length).fill(-10) }),
  };
}

/** The token itself is likely, its alternatives less and less. */
function logprobOf(token: Token, alternatives: number): TokenLogprob {
  const top = Array.from({ length: alternatives }, (_, rank) => ({
    token: ((token + rank) % vocabSize) as Token,
    logprob: -0.5 * (rank + 1),
  }));
  return { token, logprob: -0.5, top };
}

import { checkTokens } from '../ranges.ts';
import type { Steps } from '../tokenizer/steps.ts';
import type { Token, Tokenizer } from '../tokenizer/types.ts';

/** Tokens of one step: about 2 ms. */
const step = 1 << 12;

/** The text of tokens; `special`: also of special ones. Throws `invalid_request` for what is no token, as `param[i]`. */
export function* decode(
  tokenizer: Tokenizer,
  tokens: ArrayLike<number>,
  special: boolean,
  param = 'tokens',
): Steps<string> {
  checkTokens(tokens, tokenizer.vocabSize, i => `${param}[${i}]`);
  const stream = tokenizer.stream({ special, whole: true });
  const texts: string[] = [];
  for (let i = 0; i < tokens.length; i++) {
    texts.push(stream.push(tokens[i] as Token));
    if (i % step === step - 1) yield;
  }
  return texts.join('') + stream.end();
}

import type { TokenLogprob } from '../engine/request.ts';
import type { Token, Tokenizer, TokenStream } from '../tokenizer/types.ts';
import type { TextLogprob } from './types.ts';

const decoder = new TextDecoder();

/** A token's log-probability as text. `offset`: see {@link TextLogprob}. */
export function textLogprob(tokenizer: Tokenizer, { token, logprob, top }: TokenLogprob, offset: number): TextLogprob {
  const one = (id: Token, value: number) => {
    const bytes = tokenizer.bytes(id, { special: true });
    return { token: decoder.decode(bytes), bytes: [...bytes], logprob: value };
  };
  return { ...one(token, logprob), offset, top: top.map(each => one(each.token, each.logprob)) };
}

/** The log-probabilities of a prompt's tokens, in their order, with where they stand in its text: special tokens are text there. */
export class PromptLogprobs {
  readonly #tokenizer: Tokenizer;
  readonly #text: TokenStream;
  #offset = 0;

  constructor(tokenizer: Tokenizer) {
    this.#tokenizer = tokenizer;
    this.#text = tokenizer.stream({ special: true, whole: true });
  }

  /** Of the first one, which nothing comes before. */
  first(token: Token): TextLogprob {
    return this.next({ token, logprob: Number.NaN, top: [] });
  }

  next(logprob: TokenLogprob): TextLogprob {
    const said = textLogprob(this.#tokenizer, logprob, this.#offset);
    this.#offset += characters(this.#text.push(logprob.token));
    return said;
  }
}

/** Code points, as OpenAI's clients count: a character outside the first plane is one. */
export function characters(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

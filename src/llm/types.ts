import type { AnswerEnd, EndValues, GenerateRequest, TokenLogprob } from '../engine/request.ts';
import type { Token } from '../tokenizer/types.ts';

/** How likely a token of the answer was. */
export interface TextLogprob {
  /** The token's text; what is no whole UTF-8 character shows as U+FFFD, `bytes` has the truth. */
  readonly token: string;
  readonly bytes: readonly number[];
  /** Natural logarithm of its probability, before temperature and filters. */
  readonly logprob: number;
  /** Characters (code points) of the text before the one that it begins, goes on with or ends. */
  readonly offset: number;
  /** The most likely tokens in its place, the likeliest first. */
  readonly top: readonly { readonly token: string; readonly bytes: readonly number[]; readonly logprob: number }[];
}

/** A piece of an answer's text, mostly one token's; it may be empty while a character or a possible stop string is incomplete. */
export interface TextPiece {
  readonly kind: 'text';
  readonly text: string;
  /** Of its tokens, if they were asked for. */
  readonly logprobs: readonly TextLogprob[];
  /** They are of tokens of the prompt, before all others, and there is no text. That of the first token is NaN: nothing comes before it. */
  readonly ofPrompt?: boolean;
  /** The same of the answer's token as the engine said it. */
  readonly logprob?: TokenLogprob | undefined;
}

/** What comes back, from a model's text generation to the body of an answer. The end has all tokens, prompt and answer. */
export type TextEvent = TextPiece | TextEnd;

export interface TextEnd extends AnswerEnd, Pick<EndValues, 'logits' | 'stopToken'> {
  readonly tokens: readonly Token[];
  /** The stop string that ended it. */
  readonly stopString?: string | undefined;
}

/** Throws RealmError when the engine reports an error. */
export type GenerateText = (request: GenerateRequest, signal?: AbortSignal) => AsyncIterable<TextEvent>;

import type { EngineUsage, FinishReason, Sampling } from '../engine/types.ts';
import type { Token } from '../tokenizer/types.ts';

/** A generation with text on both sides: what src/llm/generate.ts does on top of an Engine. */
export interface TextRequest {
  readonly id: string;
  readonly tenant: string;
  readonly tokens: readonly Token[];
  readonly maxTokens: number;
  readonly sampling: Sampling;
  /** Strings that end the text; they are not part of it and may cross token borders. */
  readonly stop: readonly string[];
  /** Tokens that end the text beside those that the vocabulary names. */
  readonly stopTokens?: readonly Token[];
  readonly topLogprobs?: number;
  readonly adapter?: string;
  /** Higher goes first among the same tenant's. */
  readonly priority?: number;
  /** Milliseconds that it may wait for its first step. */
  readonly queueMs?: number;
}

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

export type TextEvent =
  /** One token's worth; `text` may be empty while a character or a possible stop string is incomplete. */
  | { readonly kind: 'text'; readonly text: string; readonly logprobs: readonly TextLogprob[] }
  /** `tokens`: prompt and answer. */
  | {
      readonly kind: 'end';
      readonly reason: FinishReason;
      readonly usage: EngineUsage;
      readonly tokens: readonly Token[];
    };

/** Throws RealmError when the engine reports an error. */
export type GenerateText = (request: TextRequest, signal?: AbortSignal) => AsyncIterable<TextEvent>;

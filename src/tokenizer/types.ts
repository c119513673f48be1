import type { Steps } from './steps.ts';

/** A token id; an ordinary number that must not be confused with a position or a count. */
export type Token = number & { readonly __token: never };

export interface EncodeOptions {
  /** Add the beginning- and end-of-text tokens that the model's metadata asks for. Default true. */
  addSpecial?: boolean;
  /** Turn the text of special tokens into those tokens; otherwise it is ordinary text. Default true. */
  parseSpecial?: boolean;
}

export interface Tokenizer {
  readonly vocabSize: number;
  readonly bos: Token | undefined;
  readonly eos: Token | undefined;
  /** Tokens that end a generation (eos, end-of-turn, end-of-message). */
  readonly endOfGeneration: ReadonlySet<Token>;
  /** The most bytes of a text (UTF-8) that one token stands for; absent where there is no bound. */
  readonly maxTokenBytes?: number;
  encode(text: string, options?: EncodeOptions): Token[];
  /** The same in steps, for long texts. */
  encodeInSteps(text: string, options?: EncodeOptions): Steps<Token[]>;
  /** The whole text of `tokens`; special tokens appear as text when `special` is set, else they are dropped. */
  decode(tokens: readonly Token[], options?: { special?: boolean }): string;
  /** The bytes that one token stands for (a byte token, a part of a UTF-8 character, …). */
  bytes(token: Token, options?: { special?: boolean }): Uint8Array;
  /** The vocabulary's own text of a token, for logprobs and `inspect`. */
  text(token: Token): string;
  /**
   * A decoder for one stream: push tokens, get text that never ends inside a UTF-8 character. Some vocabularies put a
   * space before every text; `decode` drops it, and so does a stream of a `whole` text. Without `whole` the stream goes
   * on from a prompt, where that space belongs between the two.
   */
  stream(options?: { special?: boolean; whole?: boolean }): TokenStream;
}

export interface TokenStream {
  push(token: Token): string;
  /** What is left when the stream ends (an incomplete character becomes U+FFFD). */
  end(): string;
}

export interface ChatMessage {
  role: string;
  content: string;
  [field: string]: unknown;
}

export interface ChatTemplate {
  /** Where the template came from: `file`, or the name of a built-in one. */
  readonly name: string;
  /** The template's source text. */
  readonly source: string;
  /**
   * The prompt for `messages`. It holds special tokens as text: encode it with parseSpecial, and with addSpecial
   * only when it does not begin with the bos token already.
   */
  render(messages: readonly ChatMessage[], options?: { addGenerationPrompt?: boolean; tools?: unknown[] }): string;
}

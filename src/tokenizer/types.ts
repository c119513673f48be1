import type { Steps } from './steps.ts';

/** A token id; an ordinary number that must not be confused with a position or a count. */
export type Token = number & { readonly __token: never };

/** Beginning and end in a text, in UTF-16 code units. */
export type TextRange = readonly [start: number, end: number];

/** How a text becomes tokens. */
export interface EncodeOptions {
  /** Add the beginning- and end-of-text tokens that the model's metadata asks for. Default true. */
  addSpecial?: boolean;
  /** Turn the text of special tokens into those tokens; otherwise it is ordinary text. Default true. */
  parseSpecial?: boolean | undefined;
  /** Where control tokens are ordinary text all the same; in order and apart from each other. */
  values?: readonly TextRange[];
}

export interface Tokenizer {
  readonly vocabSize: number;
  readonly bos: Token | undefined;
  readonly eos: Token | undefined;
  /** Tokens that end a generation (eos, end-of-turn, end-of-message). */
  readonly endOfGeneration: ReadonlySet<Token>;
  /** Absent: the model was not trained to fill in. */
  readonly fillInTheMiddle?: FillInTheMiddle | undefined;
  /** What stands between the texts of a pair, beside the tokens that addSpecial ends the first of them with. */
  readonly separator?: Token | undefined;
  /** The texts of the tokens that nobody may write in a value. */
  readonly controlTexts: readonly string[];
  /** The most bytes of a text (UTF-8) that one token stands for; absent where there is no bound. */
  readonly maxTokenBytes?: number | undefined;
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
   * on from a prompt, where that space belongs between the two. `special` may be the special tokens that are text.
   */
  stream(options?: { special?: boolean | ReadonlySet<Token>; whole?: boolean }): TokenStream;
}

/** The texts of the tokens before what comes before a gap, before what follows it, and before what fills it. */
export interface FillInTheMiddle {
  readonly prefix: string;
  readonly suffix: string;
  readonly middle: string;
}

export interface TokenStream {
  push(token: Token): string;
  /** What is left when the stream ends (an incomplete character becomes U+FFFD). */
  end(): string;
}

/** A message of a chat. Templates may read other fields too. */
export interface ChatMessage {
  /** `system`, `user`, `assistant`, or what else the template knows. */
  role: string;
  content: string;
  [field: string]: unknown;
}

export interface RenderOptions {
  /** Begin the model's answer. Default true. */
  addGenerationPrompt?: boolean | undefined;
  tools?: unknown[] | undefined;
  /** More variables of the template, `chat_template_kwargs`; they replace none of its own. */
  variables?: Readonly<Record<string, unknown>> | undefined;
  /** What becomes of the texts that the template looks for or compares with. */
  searched?: ((text: string) => string) | undefined;
}

/** What a template does not know of itself; messages are adapted to it. */
export interface TemplateHabits {
  /** Content as text, or only as a list of parts. */
  readonly content: 'text' | 'parts';
  /** A turn of its own, everywhere or only as the `first` of all, or `folded` into the next turn of the user. */
  readonly system: 'own' | 'first' | 'folded';
  /** Thoughts are read from `thinking`, not from `reasoning_content`; `alone`: beside calls there may be no content then. */
  readonly thoughts?: 'thinking' | 'thinking alone';
  /** What came of calls stands in the turn that made them; absent: in turns of its own. */
  readonly results?: 'inside';
}

export interface ChatTemplate {
  /** Where the template came from: `file`, or the name of a built-in one. */
  readonly name: string;
  /** The template's source text. */
  readonly source: string;
  /** Tries chats on the template the first time. */
  readonly habits: TemplateHabits;
  /** The text for `messages`, special tokens as text; chat-prompt.ts says which of them are the template's own. */
  render(messages: readonly ChatMessage[], options?: RenderOptions): string;
}

/** A rendered chat. */
export interface Prompt {
  readonly text: string;
  /** Where `text` is not the template's own, as far as control tokens could be read there. */
  readonly values: readonly TextRange[];
}

/** How a template writes a chat. */
export interface ChatOptions {
  /** Default true, unless the final message is to be continued. */
  readonly addGenerationPrompt?: boolean | undefined;
  /** The text ends with the final message's content, so that the model goes on with it. */
  readonly continueFinalMessage?: boolean | undefined;
  readonly tools?: unknown[] | undefined;
  /** More variables of the template, `chat_template_kwargs`; they replace none of its own. */
  readonly variables?: Readonly<Record<string, unknown>> | undefined;
}

export interface PromptOptions extends ChatOptions {
  /** Read control tokens in values too, as if the template had written them. */
  readonly parseSpecial?: boolean | undefined;
  /** Find all values, not only those that could hold a control token. */
  readonly locate?: boolean;
}

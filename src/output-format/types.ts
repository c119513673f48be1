/**
 * How a model writes what is not plain text, as its chat template writes it in a history: data from which both a parser
 * and a grammar are made. Nothing in it depends on a family of models.
 */
export interface OutputFormat {
  readonly reasoning?: ReasoningFormat;
  readonly text?: TextFormat;
  readonly tools?: ToolFormat;
}

/** Thoughts before the answer: `open` thoughts `close`. */
export interface ReasoningFormat {
  readonly open: string;
  readonly close: string;
  /** What stands behind the thoughts before all else. */
  readonly next?: string;
  /** More of them may come anywhere in the answer, and an end without a beginning is no text either. */
  readonly anywhere?: boolean;
}

/** Where an answer is made of marked parts: how the part that is text for the reader is marked. */
export interface TextFormat {
  readonly open: string;
  readonly close: string;
  /** All markers of parts, which are no text wherever they stand. */
  readonly silent: readonly string[];
}

/** Calls of tools: `begin` call (`between` call)* `end`. */
export interface ToolFormat {
  readonly begin: string;
  readonly call: readonly CallPart[];
  /** Other ways in which models write a call: they are read, and never asked for. */
  readonly also?: readonly (readonly CallPart[])[];
  /** Absent: one call to an answer. */
  readonly between?: string | undefined;
  readonly end: string;
  /**
   * What the template wants in a message's `tool_calls[].function.arguments`: an object, or its JSON text. `content`: it
   * knows no calls, which stand in the message's content as `writeCalls` writes them.
   */
  readonly history: 'object' | 'text' | 'content';
}

/** `index`: the call's number among the answer's, counted from `base`. */
export type CallPart =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'name' }
  | { readonly kind: 'id' }
  | { readonly kind: 'index'; readonly base: number }
  | { readonly kind: 'arguments'; readonly style: ArgumentStyle };

export type ArgumentStyle = JsonArguments | TaggedArguments;

/** One JSON object. */
export interface JsonArguments {
  readonly kind: 'json';
  /** Texts stand as they are between these, and keys without any. */
  readonly quote?: string;
}

/** `mixed`: words and numbers as Python writes them, lists and objects as JSON. */
export type Notation = 'json' | 'python' | 'mixed';

/** Of the value of an argument. */
export type JsonType = 'string' | 'number' | 'boolean' | 'null' | 'array' | 'object';

/** Stands for the argument's key where that is written again behind its value. */
export const KEY = '\ue002';

/** Each argument for itself: `before` key `middle` value `after`, with `between` in between. */
export interface TaggedArguments {
  readonly kind: 'tagged';
  readonly before: string;
  /** Where it tells the type of the value: what it is for each. */
  readonly middle: string | Readonly<Record<JsonType, string>>;
  readonly after: string;
  readonly between: string;
  /** `raw`: the text as it is. */
  readonly strings: 'raw' | 'json' | 'python';
  /** Numbers, lists and what else is no text. */
  readonly others: Notation;
  /** Texts which could be taken for something else stand between these. */
  readonly wrapped?: { readonly open: string; readonly close: string };
  /** Lists and objects in values are written as the arguments are, with this key for the items of lists; nulls are left out. */
  readonly items?: string;
}

export interface ToolCall {
  /** The model's own, where the format has one. */
  readonly id?: string;
  readonly name: string;
  /** JSON text of an object. */
  readonly arguments: string;
}

import type { ReasoningFormat, TextFormat, ToolFormat } from './types.ts';

/** What an answer must be, as a request says it. Structured-cloneable; the engine compiles it. Schemas are JSON text. */
export type ConstraintSource =
  | { readonly kind: 'json_schema'; readonly schema: string }
  | { readonly kind: 'json_object' }
  | { readonly kind: 'regex'; readonly pattern: string }
  | { readonly kind: 'gbnf' | 'lark'; readonly grammar: string }
  | { readonly kind: 'choice'; readonly choices: readonly string[] }
  | AnswerSource;

/** An answer with thoughts or calls of tools. */
export interface AnswerSource {
  readonly kind: 'answer';
  /** Thoughts may come first; `begun`: the prompt has begun them, so they do. */
  readonly reasoning?: (ReasoningFormat & { readonly begun: boolean }) | undefined;
  /** How text is marked. */
  readonly text?: TextFormat | undefined;
  readonly tools?: (ToolUse & { readonly format: ToolFormat }) | undefined;
  /** What the answer is where it is no call. Absent: any text. */
  readonly content?: Exclude<ConstraintSource, AnswerSource> | undefined;
}

/** Which tools an answer may call, and whether it must. */
export interface ToolUse {
  readonly declared: readonly DeclaredTool[];
  /** `auto`: text, and calls if the model wants; `required`: nothing but calls. */
  readonly choice: 'auto' | 'required';
  /** More than one call. */
  readonly parallel: boolean;
}

export interface DeclaredTool {
  readonly name: string;
  /** JSON Schema of its arguments, as JSON text. */
  readonly parameters: string;
}

import type { Input } from './input.ts';

/** What a model's answer is made of. `index`: the call's number in the answer. */
export type OutputEvent =
  | { readonly kind: 'content' | 'reasoning'; readonly text: string }
  | { readonly kind: 'call'; readonly index: number; readonly id?: string; readonly name: string }
  | { readonly kind: 'arguments'; readonly index: number; readonly text: string }
  | { readonly kind: 'callEnd'; readonly index: number };

/** JSON Schemas of tools' arguments, by the tools' names. */
export type ToolSchemas = ReadonlyMap<string, ToolSchema | undefined>;

export interface ToolSchema {
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: unknown;
  readonly patternProperties?: unknown;
}

/** Yields where it needs more of the input. */
export type Steps<T> = Generator<void, T>;

/** An answer that is being read. */
export interface Reading {
  readonly input: Input;
  readonly tools: ToolSchemas;
  emit(event: OutputEvent): void;
  /** The number of a call that begins. */
  newCall(): number;
}

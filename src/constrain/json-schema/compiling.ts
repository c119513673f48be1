import type { GrammarSymbol } from '../grammar.ts';
import type { GrammarBuilder } from '../grammar-builder.ts';
import type { JsonText } from '../json-text.ts';
import type { Repeats } from '../repeats.ts';
import type { SchemaAlgebra, SchemaNode } from './forms.ts';

export type Alternative = readonly GrammarSymbol[];

/** Punctuation, with the white space around it. */
export interface Punctuation {
  readonly comma: GrammarSymbol;
  readonly openObject: GrammarSymbol;
  readonly closeObject: GrammarSymbol;
  readonly emptyObject: GrammarSymbol;
  readonly openArray: GrammarSymbol;
  readonly closeArray: GrammarSymbol;
  readonly emptyArray: GrammarSymbol;
}

/** A member of a known name: its key with the colon, its value. */
export interface Member {
  readonly symbols: Alternative;
  readonly required: boolean;
}

/** What the makers of rules share. */
export interface Compiling {
  readonly builder: GrammarBuilder;
  readonly nodes: SchemaAlgebra;
  readonly text: JsonText;
  readonly punctuation: Punctuation;
  readonly repeats: Repeats;
  /** The symbol of a value; undefined where nothing matches. */
  value(node: SchemaNode): GrammarSymbol | undefined;
}

import type { ByteSetId } from './byte-sets.ts';
import type { RegexId } from './regex.ts';

/** One regular expression; parts are made before it, so their handles are smaller. */
export type RegexNode = (
  | { readonly kind: 'bytes'; readonly set: ByteSetId }
  | { readonly kind: 'empty' }
  | { readonly kind: 'concat'; readonly head: RegexId; readonly tail: RegexId }
  | { readonly kind: 'or' | 'and'; readonly parts: readonly RegexId[] }
  /** Every sequence of bytes that does not match, valid UTF-8 or not. */
  | { readonly kind: 'complement'; readonly part: RegexId }
  | { readonly kind: 'repeat'; readonly part: RegexId; readonly min: number; readonly max: number }
) & {
  readonly nullable: boolean;
  /** No text that matches begins with another byte. */
  readonly first: ByteSetId;
  /** Made without `and` and `complement`: then it matches something unless it is `nothing`. */
  readonly plain: boolean;
  /** Surely matches finitely many texts. */
  readonly finite: boolean;
  /** How deep a derivative has to look. */
  readonly depth: number;
  /** No text that matches is shorter, in bytes. */
  readonly least: number;
};

/** A node without what follows from its parts. */
export type Shape = RegexNode extends infer N ? (N extends RegexNode ? Omit<N, Facts> : never) : never;
export type Facts = 'nullable' | 'first' | 'plain' | 'finite' | 'depth' | 'least';

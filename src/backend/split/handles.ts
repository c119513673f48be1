/** What the split backend knows of the things that its callers hold: for each side a handle of its own. */
import type { Buffer, KvCache, Matrix, RouterOptions, Routing, TokenBuffer, Vector } from '../backend.ts';
import type { Owned, Owner } from '../owner.ts';
import type { Side } from './placement.ts';

export interface Handles {
  readonly matrix: SplitMatrix;
  readonly vector: SplitVector;
  readonly buffer: SplitBuffer;
  readonly tokens: SplitTokens;
  readonly routing: SplitRouting;
  readonly cache: SplitCache;
}

export type SplitOwner = Owner<Handles>;

/** What the first side has, and the last. */
export type Both<T> = readonly [T, T];

/** Bit 0: the first side has it; bit 1: the last. */
export const bitOf = (side: Side): number => 1 << side;
export const bothBits = 3;

export interface SplitMatrix extends Matrix, Owned {
  readonly on: Both<Matrix | undefined>;
}

export interface SplitVector extends Vector, Owned {
  readonly on: Both<Vector>;
}

export interface SplitBuffer extends Buffer, Owned {
  readonly on: Both<Buffer>;
  readonly whole: Whole;
  /** The first of its rows in the whole. */
  readonly first: number;
}

/** A buffer that is no view of another. */
export interface Whole {
  readonly on: Both<Buffer>;
  readonly columns: number;
  /** Which sides have what was last written to each row, as {@link bitOf} says. [rows] */
  readonly held: Uint8Array;
  /** How often something was written. */
  writes: number;
}

export interface SplitTokens extends TokenBuffer, Owned {
  readonly on: Both<TokenBuffer>;
  /** Where they were chosen last. */
  side: Side;
}

/** {@link RouterOptions} with vectors of this backend. */
export type SplitRouter = Omit<RouterOptions, 'bias' | 'scales'> & {
  readonly bias?: SplitVector | undefined;
  readonly scales?: SplitVector | undefined;
};

/** Scores, and how experts are chosen by them. */
interface RoutedBy {
  readonly use: Use;
  readonly writes: number;
  readonly router: SplitRouter;
}

export interface SplitRouting extends Routing, Owned {
  readonly on: Both<Routing>;
  /** Which sides know it. */
  held: number;
  /** What it follows from, and how often that buffer had been written by then. */
  scores: RoutedBy | undefined;
}

export interface SplitCache extends KvCache, Owned {
  /** The layers of each side. */
  readonly on: Both<KvCache>;
  /** Where each layer is, and its number there. */
  readonly places: readonly { readonly side: Side; readonly layer: number }[];
}

/** The first rows of a buffer, which an operation reads or writes. */
export type Use = readonly [buffer: SplitBuffer, rows: number];

export function holds([{ whole, first }, rows]: Use, side: Side): boolean {
  for (let row = first; row < first + rows; row++) if (!(whole.held[row]! & bitOf(side))) return false;
  return true;
}

/** The rows of the whole that a side has not. */
export function missing([{ whole, first }, rows]: Use, side: Side): Int32Array {
  const all = Array.from({ length: rows }, (_, i) => first + i);
  return Int32Array.from(all.filter(row => !(whole.held[row]! & bitOf(side))));
}

export function written([{ whole, first }, rows]: Use, side: Side): void {
  whole.held.fill(bitOf(side), first, first + rows);
  whole.writes++;
}

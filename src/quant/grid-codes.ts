import type { Grid } from './grids.ts';
import type { Slots } from './slots.ts';

/** Weights that are looked up in a codebook, several beside each other at once. */
export interface GridCodes<F extends string = string> {
  readonly grid: Grid;
  /** An entry's index: its low bits, and in a field of their own its high ones. */
  readonly index: readonly [Slots<F>] | readonly [Slots<F>, Slots<F>];
  /** For eight weights a bit each that is set where the weight is negative; of seven bits the eighth makes their number even. */
  readonly signs?: Slots<F>;
  /** For every entry a bit: added to its values is 1, or where the bit is set -1. */
  readonly shift?: Slots<F>;
}

/** Scales of a block's parts that are odd: 2 s + 1. */
export interface OddParts<F extends string = string> {
  readonly size: 16 | 32;
  readonly slots: Slots<F>;
}

/** The power of two that every value plus it is a number above 0 of at most seven bits. */
export function gridOffset({ grid, shift }: GridCodes): number {
  const largest = Math.max(...grid.values.map(Math.abs)) + (shift ? 1 : 0);
  return 2 ** Math.ceil(Math.log2(largest + 1));
}

/** Seven signs, and the eighth that makes the number of negative ones even. */
export function withParity(signs: number): number {
  let odd = signs ^ (signs >> 4);
  odd ^= odd >> 2;
  odd ^= odd >> 1;
  return signs | ((odd & 1) << 7);
}

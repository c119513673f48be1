import type { Field } from './fields.ts';
import type { Block, Blocks } from './format.ts';
import type { Grid } from './grids.ts';
import { type ReadSlot, type Slots, slotReader } from './slots.ts';

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

/** Reads the weights of the block at `at`. */
export function gridReader(
  { grid, index, signs, shift }: GridCodes,
  fields: Readonly<Record<string, Field>>,
): (blocks: Blocks, at: number, block: Block) => void {
  const { columns, values } = grid;
  const [low, high] = index.map(slots => slotReader(slots, fields)) as [ReadSlot, ReadSlot?];
  const width = index[0].width;
  const readSigns = signs && slotReader(signs, fields);
  const readShift = shift && slotReader(shift, fields);
  return ({ view }, at, { ints }) => {
    for (let entry = 0, i = 0; i < ints.length; entry++) {
      const from = columns * (low(view, at, entry) | ((high?.(view, at, entry) ?? 0) << width));
      const added = readShift ? 1 - 2 * readShift(view, at, entry) : 0;
      for (let k = 0; k < columns; k++, i++) ints[i] = (values[from + k] as number) + added;
    }
    if (!readSigns) return;
    for (let eight = 0; 8 * eight < ints.length; eight++) {
      const read = readSigns(view, at, eight);
      const negative = signs.width === 7 ? withParity(read) : read;
      for (let k = 0; k < 8; k++) if ((negative >> k) & 1) ints[8 * eight + k] = -(ints[8 * eight + k] as number);
    }
  };
}

export function oddPartReader({ size, slots }: OddParts, fields: Readonly<Record<string, Field>>) {
  const read = slotReader(slots, fields);
  const shift = size === 32 ? 1 : 0;
  return ({ view }: Blocks, at: number, { scales }: Block) => {
    for (let s = 0; s < scales.length; s++) scales[s] = 2 * read(view, at, s >> shift) + 1;
  };
}

import type { Field } from './fields.ts';
import type { Block, Blocks } from './format.ts';
import { type GridCodes, type OddParts, withParity } from './grid-codes.ts';
import { type ReadSlot, slotReader } from './slots.ts';

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

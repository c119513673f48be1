import type { Field } from './fields.ts';

/**
 * Numbers of `width` bits in a field, lowest bit first: the i-th begins at bit
 * `first + jump * floor(i / run) + step * (i % run)`. None crosses a border of 32 bits.
 */
export interface Slots<F extends string = string> {
  readonly field: F;
  readonly width: number;
  readonly first: number;
  readonly run: number;
  readonly step: number;
  readonly jump: number;
}

/** One after the other, unless `places` says otherwise. */
export function slots<F extends string>(
  field: F,
  width: number,
  places: Partial<Omit<Slots, 'field' | 'width'>> = {},
): Slots<F> {
  return { field, width, first: 0, run: 1, step: width, jump: width, ...places };
}

/** The i-th number's first bit, counted from the field's. */
export const placeOf = ({ first, run, step, jump }: Slots, i: number): number =>
  first + jump * Math.floor(i / run) + step * (i % run);

/** Reads the i-th number of the block at `at`. */
export type ReadSlot = (view: DataView, at: number, i: number) => number;

export function slotReader(slots: Slots, fields: Readonly<Record<string, Field>>): ReadSlot {
  const { offset } = fields[slots.field] as Field;
  const mask = 2 ** slots.width - 1;
  return (view, at, i) => {
    const place = placeOf(slots, i);
    const byte = at + offset + (place >> 3);
    const low = view.getUint8(byte);
    const bits = (place & 7) + slots.width > 8 ? low | (view.getUint8(byte + 1) << 8) : low;
    return (bits >> (place & 7)) & mask;
  };
}

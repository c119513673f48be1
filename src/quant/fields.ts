/** A number of some kind (E8M0: byte e is 2^(e - 127); F16x4: see nibbles.ts), or so many bytes whose meaning {@link Codes} give. */
export type FieldType = 'F16' | 'BF16' | 'F32' | 'E8M0' | 'F16x4' | number;

/** A field of a block: where it stands and what it is. */
export interface Field {
  readonly type: FieldType;
  /** Bytes from the block's first. */
  readonly offset: number;
  readonly bytes: number;
}

/** Where the scales of a block stand, in bytes from its start, and as what kind of number. A float is its own scale. */
export interface Scales {
  readonly kind: Exclude<FieldType, number> | 'UE4M3';
  readonly offsets: readonly number[];
}

const widths = { F32: 4, F16: 2, BF16: 2, E8M0: 1, F16x4: 8 } as const;

const bytesOf = (type: FieldType): number => (typeof type === 'number' ? type : widths[type]);

/** The fields one after the other as they are named: no gap and no overlap can be written down. */
export function placeFields<F extends string>(types: Readonly<Record<F, FieldType>>): Record<F, Field> {
  let offset = 0;
  const place = ([name, type]: [string, FieldType]): [string, Field] => {
    const field = { type, offset, bytes: bytesOf(type) };
    offset += field.bytes;
    return [name, field];
  };
  return Object.fromEntries(Object.entries<FieldType>(types).map(place)) as Record<F, Field>;
}

/** Bytes of all of them. */
export const blockBytesOf = (fields: Readonly<Record<string, Field>>): number =>
  Object.values(fields).reduce((sum, { bytes }) => sum + bytes, 0);

/** The block's scale, and its minimum where it has one: what makes every token NaN when it is not finite. */
export function scalesOf(fields: readonly Field[]): Scales {
  const [{ type }] = fields as [Field];
  if (typeof type === 'number') throw new Error('a scale is a number, not bytes');
  return { kind: type, offsets: fields.map(({ offset }) => offset) };
}

import type { Field } from './fields.ts';
import type { PartScales, Weights } from './weights.ts';

/** Words of a block that the kernels keep together: where they start in the block, how long each is, and how many. */
export interface Words {
  readonly from: number;
  readonly bytes: 1 | 2 | 4;
  readonly count: number;
}

/** Pieces of fields in an order of the format's own. */
export type Interleaved<F extends string = string> = readonly (readonly [field: F, at: number, bytes: number])[];

interface Packed {
  readonly fields: Readonly<Record<string, Field>>;
  readonly weights: Weights;
  readonly parts?: PartScales | undefined;
  /** The scale, and the minimum. */
  readonly numbers: readonly string[];
  readonly interleaved?: Interleaved | undefined;
}

/** A number is one word, or two. */
export const wordsOf = ({ offset, bytes }: Field): Words =>
  bytes === 8 ? { from: offset, bytes: 4, count: 2 } : { from: offset, bytes: bytes as Words['bytes'], count: 1 };

/**
 * The block's words in the order in which kernels want them: the weights in words of four columns, what nobody multiplies, the
 * parts' scales in half words, the block's scale and minimum.
 */
export function packWords(packed: Packed): Words[] {
  const { fields, weights, parts, numbers, interleaved } = packed;
  if (!('bits' in weights) || (parts && 'slots' in parts)) return packFields(packed);
  const ofWeights = weights.bits.map(({ field }) => field);
  const ofParts = new Set(parts?.bits.map(({ field }) => field));
  const named = new Set([...ofWeights, ...ofParts, ...numbers]);
  const rest = Object.keys(fields).filter(name => !named.has(name));
  const inWords = (name: string, bytes: 2 | 4): Words => {
    const field = fields[name] as Field;
    return { from: field.offset, bytes, count: field.bytes / bytes };
  };
  const pieces = interleaved?.map(([name, at, bytes]): Words => {
    return { from: (fields[name] as Field).offset + at, bytes: 4, count: bytes / 4 };
  });
  return [
    ...(pieces ?? ofWeights.map(name => inWords(name, 4))),
    ...[...rest, ...ofParts].map(name => inWords(name, 2)),
    ...numbers.map(name => wordsOf(fields[name] as Field)),
  ];
}

/** Where bits of several meanings share a field: every field in words of four bytes, the scale at the end. */
function packFields({ fields, numbers }: Packed): Words[] {
  const rest = Object.keys(fields).filter(name => !numbers.includes(name));
  return [
    ...rest.map((name): Words => {
      const { offset, bytes } = fields[name] as Field;
      return { from: offset, bytes: 4, count: bytes / 4 };
    }),
    ...numbers.map(name => wordsOf(fields[name] as Field)),
  ];
}

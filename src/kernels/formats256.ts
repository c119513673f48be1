/** What the kernels of blocks of 256 need to know of a format: all of it follows from the format's descriptor. */
import { type Codes, codeWidth } from '../quant/codes.ts';
import type { Integers, QuantFormat } from '../quant/format.ts';
import { formats } from '../quant/formats.ts';
import { gridOffset } from '../quant/grid-codes.ts';
import { type Plane, stepsPerSum } from './dot.ts';
import { offsetOf } from './formats32.ts';
import { oddScales, type UnpackWeights, unpackGrid } from './grid256.ts';
import { groupRows, kernelForm, packedAt } from './layout.ts';
import { type PartScales, partScalesOf } from './scales256.ts';
import { unpackTrits } from './trits256.ts';
import { type Walk, walkOf } from './weights256.ts';

export interface Format256 {
  readonly name: string;
  readonly groupBytes: number;
  /** What weights are the sum of: one, or two for weights of eight bits. */
  readonly planes: readonly Plane[];
  /** Weights that share a scale. */
  readonly part: 16 | 32;
  /** Absent: all 1. */
  readonly scales?: PartScales;
  readonly minimums?: PartScales;
  /** What is subtracted from every weight: a power of two, or 43. */
  readonly offset?: number;
  /** Weights stand for odd numbers: twice the weight, less the offset, plus one. */
  readonly odd: boolean;
  readonly scaleAt: number;
  readonly scaleType: 'F16' | 'F32' | 'F16x4';
  readonly minimumAt?: number;
  /** A power of two for the block's scale. */
  readonly factor: number;
  /** Weights are looked up in a table, which the re-vectoriser cannot do. */
  readonly lookedUp: boolean;
  /** How weights unpack where they are multiplied: by a short loop, or all to a block of a panel first. */
  readonly unpack: { readonly walk: Walk } | { readonly toPanel: UnpackWeights };
}

/** Undefined: the format is none of theirs. */
export function format256(format: QuantFormat): Format256 | undefined {
  const { name, blockSize, blockBytes, fields, integers } = format;
  if (blockSize !== 256 || !integers) return undefined;
  const { scale, factor, minimum } = integers;
  const scaleType = fields[scale]?.type;
  if (scaleType === 'E8M0') throw new Error(`${name}: no kernel of blocks of 256 has scales of ${scaleType}`);
  return {
    name,
    groupBytes: groupRows * blockBytes,
    ...weightsOf(format, integers),
    scaleAt: packedAt(format, scale),
    scaleType: scaleType as Format256['scaleType'],
    ...(minimum !== undefined && { minimumAt: packedAt(format, minimum) }),
    factor,
  };
}

type Weights = Pick<Format256, 'lookedUp' | 'odd' | 'planes' | 'part' | 'scales' | 'minimums' | 'offset' | 'unpack'>;

function weightsOf(format: QuantFormat, { weights, parts }: Integers): Weights {
  if ('grid' in weights) {
    if (!parts || !('slots' in parts)) throw new Error(`${format.name}: kernels want odd scales beside a codebook`);
    const offset = gridOffset(weights);
    return {
      planes: [planeOf(Math.log2(2 * offset))],
      lookedUp: true,
      odd: false,
      part: parts.size,
      scales: oddScales(format, parts),
      offset,
      unpack: { toPanel: unpackGrid(format, weights) },
    };
  }
  if ('trits' in weights) {
    const toPanel = unpackTrits(format, weights);
    return { planes: [planeOf(2)], lookedUp: false, odd: false, part: 32, offset: 1, unpack: { toPanel } };
  }
  const offset = offsetOf(weights);
  const walk = walkOf(format, weights);
  if (parts && parts.size !== walk.part)
    throw new Error(`${format.name}: its kernel's parts have ${walk.part} weights`);
  return {
    planes: planesOf(weights, offset),
    lookedUp: weights.table !== undefined && offset === 128,
    odd: weights.odd === true,
    part: walk.part,
    ...(parts && ('slots' in parts ? { scales: oddScales(format, parts) } : partScalesOf(format, parts))),
    ...(offset > 0 && { offset }),
    unpack: { walk },
  };
}

const planeOf = (bits: number, times: Plane['times'] = 1): Plane => ({ times, perSum: stepsPerSum(bits) });

function planesOf(weights: Codes, offset: number): readonly Plane[] {
  if (offset === 128) return weights.table ? [planeOf(4, 15), planeOf(5)] : [planeOf(4), planeOf(4, 16)];
  return [planeOf(weights.table ? Math.ceil(Math.log2(2 * offset)) : codeWidth(weights))];
}

export const formats256: ReadonlyMap<string, Format256> = new Map(
  Object.values(formats).flatMap(format => {
    const found = format256(kernelForm(format));
    return found ? [[format.name, found] as const] : [];
  }),
);

/** Which formats there are kernels for. */
import { RealmError } from '../../errors.ts';
import type { Codes, Parts } from '../../quant/codes.ts';
import type { QuantFormat } from '../../quant/format.ts';
import { formats } from '../../quant/formats.ts';
import type { QuantType } from '../../quant/types.ts';

/** Integers that are codes of some bits each, times a scale that is a half or a float; or a power of two, halved. */
export interface PlainIntegers {
  readonly weights: Codes;
  readonly inputBlock: 32 | 256;
  readonly parts?: Parts | undefined;
  readonly scale: string;
  readonly minimum?: string | undefined;
  readonly minimumOf: 'none' | 'block' | 'parts';
}

/** Undefined where the elements are floats. Throws `kernel_unavailable` for codebooks and scales of other kinds. */
export function plainIntegers({ name, blockSize, fields, integers }: QuantFormat): PlainIntegers | undefined {
  if (!integers && blockSize === 1) return undefined;
  const { weights, parts, factor, scale } = integers ?? {};
  const kind = scale && fields[scale]?.type;
  const isScale = factor === 1 ? kind === 'F16' || kind === 'F32' : kind === 'E8M0' && factor === 1 / 2;
  const isPlain = weights && 'bits' in weights && (!parts || 'bits' in parts) && isScale;
  if (!isPlain) throw new RealmError('kernel_unavailable', `no kernel on a GPU for ${name}; use --device cpu`);
  return integers as PlainIntegers;
}

/** Types that matrices on a GPU may have. */
export const gpuTypes = (Object.keys(formats) as QuantType[]).filter(type => {
  try {
    plainIntegers(formats[type]);
    return true;
  } catch {
    return false;
  }
});

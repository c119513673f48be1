/** The kernels of products, each made when it is wanted first. */
import type { QuantType } from '../../../quant/types.ts';
import type { Kernel } from '../kernel.ts';
import { isFloat } from '../weight-code.ts';
import { floatFewRows, floatProductFew } from './float-product-few.ts';
import { floatProductTile } from './float-product-tile.ts';
import type { ProductParams } from './product-code.ts';
import { type Extra, type FewOptions, fewProduct, fewRows, fewSegments } from './product-few.ts';
import type { Which } from './product-places.ts';
import { tileProduct, tileRows } from './product-tile.ts';

/** For a token, for few, for many. All of them sum in one order. */
export type Shape = 'one' | 'few' | 'tile';

/** Rows of a workgroup. */
export const rowsOf = (type: QuantType, shape: Shape): number =>
  shape === 'tile' ? tileRows : isFloat(type) ? floatFewRows : fewRows;

/** Which kernel it is. */
export interface Variant {
  /** Of each matrix: for integers times few tokens two may differ. */
  readonly types: readonly QuantType[];
  readonly shape: Shape;
  readonly which: Which;
  readonly matrices: number;
  readonly columns: number;
  readonly packed: boolean;
}

const kernels = new Map<string, Kernel<ProductParams>>();

export function kernelOf(variant: Variant): Kernel<ProductParams> {
  const { types, shape, which, matrices, columns, packed } = variant;
  const key = [types, shape, which, matrices, fewSegments(columns), packed].join(' ');
  const known = kernels.get(key);
  if (known) return known;
  const made = makeKernel(variant);
  kernels.set(key, made);
  return made;
}

function makeKernel({ types, shape, which, matrices, columns, packed }: Variant): Kernel<ProductParams> {
  const type = types[0]!;
  const tokens = shape === 'one' ? 1 : 4;
  if (isFloat(type)) {
    return shape === 'tile' ? floatProductTile(type, which, matrices) : floatProductFew(type, tokens, which, matrices);
  }
  if (shape === 'tile') return tileProduct(type, which, matrices, packed);
  const options = { types, tokens, segments: fewSegments(columns), which, matrices, packed } as const;
  const kernel = fewProduct(options);
  few.set(kernel, { options, with: new Map() });
  return kernel;
}

/** What such kernels are made of, and those that were made of them. */
const few = new WeakMap<Kernel, { readonly options: FewOptions; readonly with: Map<Extra, Kernel> }>();

/** The kernel that does something besides what this one does. */
export function fewWith(kernel: Kernel, extra: Extra): Kernel {
  const { options, with: made } = few.get(kernel)!;
  const known = made.get(extra) ?? fewProduct(options, extra);
  made.set(extra, known);
  return known;
}

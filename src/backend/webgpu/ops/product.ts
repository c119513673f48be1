/** Chooses a kernel for a product by its number of tokens, and records it. All of them sum in one order. */
import type { QuantType } from '../../../quant/types.ts';

import type { Context } from '../context.ts';
import type { GpuMatrix, GpuRouting, GpuWorkBuffer, MatrixPart } from '../handles.ts';
import type { Kernel } from '../kernel.ts';
import { isFloat } from '../weight-code.ts';
import { floatFewRows, floatProductFew } from './float-product-few.ts';
import { floatProductTile } from './float-product-tile.ts';
import {
  addends,
  fewTokens,
  type MatrixFields,
  type ProductParams,
  productFields,
  type SharedFields,
} from './product-code.ts';
import { fewProduct, fewRows, fewSegments } from './product-few.ts';
import type { Which } from './product-places.ts';
import { tileProduct, tileRows, tileTokens } from './product-tile.ts';
import type { Activations } from './quantize.ts';

/** One of a dispatch's matrices, and where its product goes. */
export interface Multiplied {
  readonly out: GpuWorkBuffer;
  readonly matrix: GpuMatrix;
  /** Its place in work memory. */
  readonly bias?: number | undefined;
  readonly accumulate?: boolean | undefined;
}

type Shape = 'one' | 'few' | 'tile';

/** Matrices of a dispatch: more bindings than these would leave too few for others. */
const mostMatrices = 3;
/** Workgroups of a dimension: the most that every device has is 65,535. */
const mostGroups = 1 << 15;

/** Rows of a workgroup. */
const rowsOf = (type: QuantType, shape: Shape): number =>
  shape === 'tile' ? tileRows : isFloat(type) ? floatFewRows : fewRows;

/** Which kernel it is. */
interface Variant {
  readonly type: QuantType;
  readonly shape: Shape;
  readonly which: Which;
  readonly matrices: number;
  /** Segments between two barriers, where the shape has that. */
  readonly segments: number;
  readonly packed: boolean;
}

const kernels = new Map<string, Kernel<ProductParams>>();

function kernelOf(variant: Variant): Kernel<ProductParams> {
  const key = Object.values(variant).join(' ');
  const known = kernels.get(key);
  if (known) return known;
  const made = makeKernel(variant);
  kernels.set(key, made);
  return made;
}

function makeKernel({ type, shape, which, matrices, segments, packed }: Variant): Kernel<ProductParams> {
  const tokens = shape === 'one' ? 1 : 4;
  if (isFloat(type)) {
    return shape === 'tile' ? floatProductTile(type, which, matrices) : floatProductFew(type, tokens, which, matrices);
  }
  if (shape === 'tile') return tileProduct(type, which, matrices, packed);
  return fewProduct(type, tokens, segments, which, matrices, packed);
}

/** out = matrix * x (+ bias), or out += that, for matrices that multiply the same x. */
export function recordProducts(
  context: Context,
  products: readonly Multiplied[],
  x: Activations,
  tokens: number,
): void {
  const shape = tokens === 1 ? 'one' : tokens <= fewTokens ? 'few' : 'tile';
  const routing = { experts: 0, starts: 0, tokenOf: 0, fromTokens: 0, outRows: 0 };
  const places = shape === 'tile' ? Math.ceil(tokens / tileTokens) : 1;
  record(context, products, shape, 'all', places, { ...x, tokens, ...routing });
}

/** out[slot] = the rows of the slot's expert * its input. `slots`: tokens * topK. */
export function recordExperts(
  context: Context,
  products: readonly Multiplied[],
  x: Activations,
  from: 'tokens' | 'slots',
  { experts, starts, tokenOf }: GpuRouting,
  slots: number,
): void {
  const shape = slots <= fewTokens ? 'one' : 'tile';
  // Every expert may have a tile that is not full.
  const places = shape === 'tile' ? Math.floor(slots / tileTokens) + Math.min(experts, slots) : slots;
  for (const [outRows, together] of Map.groupBy(products, ({ out }) => out.columns)) {
    const routing = { experts, starts, tokenOf, fromTokens: from === 'tokens' ? 1 : 0, outRows };
    record(context, together, shape, 'experts', places, { ...x, tokens: slots, ...routing });
  }
}

/** A buffer of weights and its product. */
interface Piece extends Multiplied {
  readonly part: MatrixPart;
}

function record(
  { device, recorder }: Context,
  products: readonly Multiplied[],
  shape: Shape,
  which: Which,
  places: number,
  shared: Omit<SharedFields, 'columns' | 'groups'>,
): void {
  const packed = device.language.has('packed_4x8_integer_dot_product');
  for (const pieces of dispatchesOf(products)) {
    const { type, columns } = pieces[0]!.matrix;
    const matrices = pieces.length === 1 ? 1 : mostMatrices;
    let start = 0;
    // Where there are fewer, the last one stands for those behind it, without a workgroup.
    const fields = Array.from({ length: matrices }, (_, i) => {
      const piece = pieces[i] ?? pieces.at(-1)!;
      const before = start;
      const rows = which === 'all' ? piece.part.rows : piece.out.columns;
      if (i < pieces.length) start += Math.ceil(rows / rowsOf(type, shape));
      return { ...fieldsOf(piece, which), start: before };
    });
    const segments = shape === 'tile' || isFloat(type) ? 1 : fewSegments(columns);
    const kernel = kernelOf({ type, shape, which, matrices, segments, packed });
    const values = productFields({ ...shared, columns, groups: start }, fields);
    const buffers = fields.map((_, i) => (pieces[i] ?? pieces.at(-1)!).part.buffer);
    recorder.record(kernel, [Math.min(start, mostGroups), Math.ceil(start / mostGroups), places], values, buffers);
  }
}

/** Matrices of one type go together, as many as a kernel takes. */
function dispatchesOf(products: readonly Multiplied[]): Piece[][] {
  const pieces = products.flatMap(product => product.matrix.parts.map((part): Piece => ({ ...product, part })));
  const dispatches: Piece[][] = [];
  for (const together of Map.groupBy(pieces, ({ matrix }) => matrix.type).values()) {
    for (let i = 0; i < together.length; i += mostMatrices) dispatches.push(together.slice(i, i + mostMatrices));
  }
  return dispatches;
}

function fieldsOf({ out, part, bias, accumulate }: Piece, which: Which): Omit<MatrixFields, 'start'> {
  const { first, rows, planes } = part;
  // An expert's rows come out from the first column on, wherever they are in the matrix.
  const column = which === 'all' ? first : 0;
  return {
    ...{ first, rows, ...planes, out: out.at + column, outStride: out.stride, bias: (bias ?? 0) + column },
    addends: (bias === undefined ? 0 : addends.bias) | (accumulate ? addends.accumulate : 0),
  };
}

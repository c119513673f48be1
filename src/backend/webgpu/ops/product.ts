/** Chooses a kernel for a product by its number of tokens, and records it. All of them sum in one order. */
import type { QuantType } from '../../../quant/types.ts';

import type { Context } from '../context.ts';
import type { GpuMatrix, GpuRouting, GpuWorkBuffer } from '../handles.ts';
import type { Kernel } from '../kernel.ts';
import { isFloat } from '../weight-code.ts';
import { floatFewRows, floatProductFew } from './float-product-few.ts';
import { floatProductTile } from './float-product-tile.ts';
import { addends, fewTokens, type ProductParams } from './product-code.ts';
import { fewProduct, fewRows } from './product-few.ts';
import type { Which } from './product-places.ts';
import { tileProduct, tileRows, tileTokens } from './product-tile.ts';
import type { Activations } from './quantize.ts';

interface Addends {
  /** Its place in work memory. */
  readonly bias: number | undefined;
  readonly accumulate: boolean | undefined;
}

type Shape = 'one' | 'few' | 'tile';

/** Rows of a workgroup. */
const rowsOf = (type: QuantType, shape: Shape): number =>
  shape === 'tile' ? tileRows : isFloat(type) ? floatFewRows : fewRows;

/** Workgroups of a dimension: the most that every device has is 65,535. */
const mostGroups = 1 << 15;

/** `count` workgroups and some more, in two dimensions. */
const spread = (count: number) => [Math.min(count, mostGroups), Math.ceil(count / mostGroups)] as const;

const kernels = new Map<string, Kernel<ProductParams>>();

function kernelOf(type: QuantType, shape: Shape, which: Which, packed: boolean): Kernel<ProductParams> {
  const key = `${type} ${shape} ${which} ${packed}`;
  const known = kernels.get(key);
  if (known) return known;
  const made = makeKernel(type, shape, which, packed);
  kernels.set(key, made);
  return made;
}

function makeKernel(type: QuantType, shape: Shape, which: Which, packed: boolean): Kernel<ProductParams> {
  if (isFloat(type)) {
    return shape === 'tile' ? floatProductTile(type, which) : floatProductFew(type, shape === 'one' ? 1 : 4, which);
  }
  return shape === 'tile' ? tileProduct(type, which, packed) : fewProduct(type, shape === 'one' ? 1 : 4, which, packed);
}

const canPack = ({ device }: Context): boolean => device.language.has('packed_4x8_integer_dot_product');
const noRouting = { experts: 0, starts: 0, tokenOf: 0, fromTokens: 0 };

/** out = matrix * x (+ bias), or out += that. */
export function recordProduct(
  context: Context,
  out: GpuWorkBuffer,
  matrix: GpuMatrix,
  x: Activations,
  tokens: number,
  { bias, accumulate }: Addends,
): void {
  const { type, columns } = matrix;
  const shape = tokens === 1 ? 'one' : tokens <= fewTokens ? 'few' : 'tile';
  const kernel = kernelOf(type, shape, 'all', canPack(context));
  for (const { buffer, first, rows, planes } of matrix.parts) {
    const fields = {
      ...{ ...x, tokens, first, rows, outRows: rows, columns, ...planes, ...noRouting },
      ...{ out: out.at + first, outStride: out.stride, bias: (bias ?? 0) + first },
      addends: (bias === undefined ? 0 : addends.bias) | (accumulate ? addends.accumulate : 0),
    };
    const [gx, gy] = spread(Math.ceil(rows / rowsOf(type, shape)));
    const gz = shape === 'tile' ? Math.ceil(tokens / tileTokens) : 1;
    context.recorder.record(kernel, [gx, gy, gz], fields, [buffer]);
  }
}

/** out[slot] = the rows of the slot's expert * its input. `slots`: tokens * topK. */
export function recordExperts(
  context: Context,
  out: GpuWorkBuffer,
  matrix: GpuMatrix,
  x: Activations,
  from: 'tokens' | 'slots',
  routing: GpuRouting,
  slots: number,
): void {
  const { type, columns } = matrix;
  const { experts, starts, tokenOf } = routing;
  const shape = slots <= fewTokens ? 'one' : 'tile';
  const kernel = kernelOf(type, shape, 'experts', canPack(context));
  for (const { buffer, first, rows, planes } of matrix.parts) {
    const fields = {
      ...{ ...x, tokens: slots, first, rows, outRows: out.columns, columns, ...planes },
      ...{ out: out.at, outStride: out.stride, bias: 0, addends: 0 },
      ...{ experts, starts, tokenOf, fromTokens: from === 'tokens' ? 1 : 0 },
    };
    const [gx, gy] = spread(Math.ceil(out.columns / rowsOf(type, shape)));
    // Every expert may have a tile that is not full.
    const gz = shape === 'tile' ? Math.floor(slots / tileTokens) + Math.min(experts, slots) : slots;
    context.recorder.record(kernel, [gx, gy, gz], fields, [buffer]);
  }
}

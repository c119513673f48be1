/** Chooses a kernel for a product by its number of tokens, and records it. All of them sum in one order. */
import type { QuantType } from '../../../quant/types.ts';
import type { Activations } from '../activations.ts';
import type { Context } from '../context.ts';
import type { GpuMatrix, GpuWorkBuffer } from '../handles.ts';
import type { Kernel } from '../kernel.ts';
import { isFloat } from '../weight-code.ts';
import { floatFewRows, floatProductFew } from './float-product-few.ts';
import { addends, type ProductParams } from './product-code.ts';
import { fewProduct, fewRows } from './product-few.ts';

interface Addends {
  readonly bias: number | undefined;
  readonly accumulate: boolean | undefined;
}

/** Workgroups of a dimension: the most that every device has is 65,535. */
const mostGroups = 1 << 15;

/** `count` workgroups and a few more, in two dimensions. */
export const spread = (count: number): readonly [number, number] => [
  Math.min(count, mostGroups),
  Math.ceil(count / mostGroups),
];

const kernels = new Map<string, Kernel<ProductParams>>();

function kernelOf(type: QuantType, tokens: 1 | 4, packed: boolean): Kernel<ProductParams> {
  const key = `${type} ${tokens} ${packed}`;
  const known = kernels.get(key);
  if (known) return known;
  const made = isFloat(type) ? floatProductFew(type, tokens) : fewProduct(type, tokens, packed);
  kernels.set(key, made);
  return made;
}

export function recordProduct(
  { recorder, device }: Context,
  out: GpuWorkBuffer,
  matrix: GpuMatrix,
  x: Activations,
  tokens: number,
  { bias, accumulate }: Addends,
): void {
  const packed = device.language.has('packed_4x8_integer_dot_product');
  const kernel = kernelOf(matrix.type, tokens === 1 ? 1 : 4, packed);
  for (const { buffer, first, rows, planes } of matrix.parts) {
    const fields = {
      ...{ ...x, tokens, rows, columns: matrix.columns, ...planes, out: out.at + first, outStride: out.stride },
      bias: (bias ?? 0) + first,
      addends: (bias === undefined ? 0 : addends.bias) | (accumulate ? addends.accumulate : 0),
    };
    recorder.record(kernel, spread(Math.ceil(rows / (isFloat(matrix.type) ? floatFewRows : fewRows))), fields, [
      buffer,
    ]);
  }
}

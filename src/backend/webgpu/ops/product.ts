/** Records products: chooses kernels by the number of tokens, and brings matrices together that multiply the same input. */
import type { Context } from '../context.ts';
import type { Groups } from '../dispatch.ts';
import type { GpuMatrix, GpuRouting, GpuWorkBuffer, MatrixPart } from '../handles.ts';
import type { Kernel } from '../kernel.ts';
import { isFloat } from '../weight-code.ts';
import {
  addends,
  fewTokens,
  type MatrixFields,
  type ProductParams,
  productFields,
  type SharedFields,
} from './product-code.ts';
import { kernelOf, rowsOf, type Shape } from './product-kernels.ts';
import type { Which } from './product-places.ts';
import { tileTokens } from './product-tile.ts';
import type { Activations } from './quantize.ts';

/** One of a dispatch's matrices, and where its product goes. */
export interface Multiplied {
  readonly out: GpuWorkBuffer;
  readonly matrix: GpuMatrix;
  /** Its place in work memory. */
  readonly bias?: number | undefined;
  readonly accumulate?: boolean | undefined;
}

/** Matrices of a dispatch: more bindings than these would leave too few for others. */
const mostMatrices = 3;
/** Kernels of two types share up to 20 KB. */
const mixedBytes = 32 << 10;
/** Workgroups of a dimension: the most that every device has is 65,535. */
const mostGroups = 1 << 15;

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

/** What a product is recorded as. */
interface Plan {
  readonly products: readonly Multiplied[];
  readonly shared: Shared;
  readonly dispatches: readonly Dispatch[];
}

interface Dispatch {
  readonly kernel: Kernel<ProductParams>;
  readonly groups: Groups;
  readonly values: Readonly<Record<string, number>>;
  readonly buffers: readonly GPUBuffer[];
}

type Shared = Omit<SharedFields, 'columns' | 'groups'>;

/** Steps of decoding record the same products again and again: the last plan of each kind, by the first matrix. */
const plans = new WeakMap<GpuMatrix, { [key: string]: Plan }>();

function record(
  { device, recorder }: Context,
  products: readonly Multiplied[],
  shape: Shape,
  which: Which,
  places: number,
  shared: Shared,
): void {
  const { matrix } = products[0]!;
  const own = plans.get(matrix) ?? {};
  plans.set(matrix, own);
  const key = `${shape} ${which} ${products.length}`;
  let plan = own[key];
  if (!plan || !fits(plan, products, shared)) {
    const packed = device.language.has('packed_4x8_integer_dot_product');
    const mixes = which === 'all' && shape !== 'tile' && device.limits.maxComputeWorkgroupStorageSize >= mixedBytes;
    const dispatches = dispatchesOf(products, mixes).map(pieces =>
      dispatchOf(pieces, shape, which, places, packed, shared),
    );
    plan = { products, shared, dispatches };
    own[key] = plan;
  }
  for (const { kernel, groups, values, buffers } of plan.dispatches) recorder.record(kernel, groups, values, buffers);
}

function fits(plan: Plan, products: readonly Multiplied[], shared: Shared): boolean {
  for (const name in shared) if (plan.shared[name as keyof Shared] !== shared[name as keyof Shared]) return false;
  return plan.products.length === products.length && products.every((product, i) => isSame(product, plan.products[i]!));
}

const isSame = (a: Multiplied, b: Multiplied): boolean =>
  a.matrix === b.matrix &&
  a.out.at === b.out.at &&
  a.out.stride === b.out.stride &&
  a.out.columns === b.out.columns &&
  a.bias === b.bias &&
  a.accumulate === b.accumulate;

function dispatchOf(
  pieces: readonly Piece[],
  shape: Shape,
  which: Which,
  places: number,
  packed: boolean,
  shared: Shared,
): Dispatch {
  const { type, columns } = pieces[0]!.matrix;
  const matrices = pieces.length === 1 ? 1 : mostMatrices;
  let start = 0;
  // Where there are fewer, the last one stands for those behind it, without a workgroup.
  const all = Array.from({ length: matrices }, (_, i) => pieces[i] ?? pieces.at(-1)!);
  const fields = all.map((piece, i) => {
    const before = start;
    const rows = which === 'all' ? piece.part.rows : piece.out.columns;
    if (i < pieces.length) start += Math.ceil(rows / rowsOf(type, shape));
    return { ...fieldsOf(piece, which), start: before };
  });
  return {
    kernel: kernelOf({ types: all.map(({ matrix }) => matrix.type), shape, which, matrices, columns, packed }),
    groups: [Math.min(start, mostGroups), Math.ceil(start / mostGroups), places],
    values: productFields({ ...shared, columns, groups: start }, fields),
    buffers: all.map(({ part }) => part.buffer),
  };
}

/** Matrices of one type go together, as many as a kernel takes; or of two types of integers, where a kernel takes these. */
function dispatchesOf(products: readonly Multiplied[], mixes: boolean): Piece[][] {
  const pieces = products.flatMap(product => product.matrix.parts.map((part): Piece => ({ ...product, part })));
  const dispatches: Piece[][] = [];
  for (const [type, together] of Map.groupBy(pieces, ({ matrix }) => matrix.type)) {
    const last = dispatches.at(-1);
    if (last && mixes && !isFloat(type) && last.length + together.length <= mostMatrices && isOneType(last)) {
      last.push(...together);
      continue;
    }
    for (let i = 0; i < together.length; i += mostMatrices) dispatches.push(together.slice(i, i + mostMatrices));
  }
  return dispatches;
}

const isOneType = (pieces: readonly Piece[]): boolean =>
  !isFloat(pieces[0]!.matrix.type) && pieces.every(({ matrix }) => matrix.type === pieces[0]!.matrix.type);

function fieldsOf({ out, part, bias, accumulate }: Piece, which: Which): Omit<MatrixFields, 'start'> {
  const { first, rows, planes } = part;
  // An expert's rows come out from the first column on, wherever they are in the matrix.
  const column = which === 'all' ? first : 0;
  return {
    ...{ first, rows, ...planes, out: out.at + column, outStride: out.stride, bias: (bias ?? 0) + column },
    addends: (bias === undefined ? 0 : addends.bias) | (accumulate ? addends.accumulate : 0),
  };
}

/**
 * What every matrix kernel shares: its signature, the walk over row groups and the write-out. A kernel multiplies groups of eight rows with a tile of T tokens; T is fixed when the
 * kernel is generated, so that sums are registers.
 */
import { segmentColumns } from '../quant/segment.ts';
import { Func, f32x4, i32, type Local, v128 } from './assembler.ts';
import { constant, type Pair, pair, setPair, storePair } from './constants.ts';
import { type Sums, sumsOf } from './dot.ts';

export const productParams = {
  /** Packed weights of the first group. */
  w: 'i32',
  /** Blocks in a row. */
  blocks: 'i32',
  groups: 'i32',
  /** The tile's first record. */
  x: 'i32',
  /** Row `first group * 8` of the first token's output. */
  y: 'i32',
  /** Bytes between two tokens' outputs. */
  stride: 'i32',
  /** Address of the bias of the first row, or 0. */
  bias: 'i32',
  /** 1: add to what stands in y. */
  accumulate: 'i32',
  /** 2 KiB of this thread's own: scales of a block, then the sums of the segments before. */
  scratch: 'i32',
} as const;

export type ProductFunc = Func<typeof productParams>;

/** Adds one block to the sums and advances the groups' pointers and `x`. */
type Block = (x: Local<'i32'>) => void;

/** Where the sums of the segments before stand in the scratch. */
const totalsAt = 1024;

/** Row groups that are walked together, the bytes of a block of one, and a token's record that a block is multiplied with. */
export interface Walkers {
  readonly atOnce: number;
  readonly blockBytes: number;
  readonly record: { readonly columns: number; readonly bytes: number };
}

/**
 * Walks the groups, `atOnce` together as long as there are so many, then one by one; afterwards the sums are written.
 * @param setUp called for either number, with a pointer to each group's block
 */
export function product(
  name: string,
  tile: number,
  { atOnce, blockBytes, record }: Walkers,
  setUp: (f: ProductFunc, sums: Sums, w: readonly Local<'i32'>[]) => Block,
): ProductFunc {
  const f = new Func(name, productParams);
  const zero = constant(f, 'zero');
  const left = f.local('i32', f.params.groups);
  const rowBytes = f.local('i32', i32.mul(f.params.blocks, i32.const(blockBytes)));
  for (const together of new Set([atOnce, 1])) {
    const sums = sumsOf(f, together, tile);
    const w = [f.params.w, ...Array.from({ length: together - 1 }, () => f.local('i32'))];
    const block = setUp(f, sums, w);
    const enough = () => i32.ltU(i32.const(together - 1), left);
    const row = () => inSegments(f, zero, sums, record, block);
    f.if(enough(), () => f.doWhile(() => walkGroups(f, sums, w, rowBytes, left, row), enough));
  }
  return f;
}

function walkGroups(
  f: ProductFunc,
  sums: Sums,
  w: readonly Local<'i32'>[],
  rowBytes: Local<'i32'>,
  left: Local<'i32'>,
  row: () => void,
): void {
  const { y, bias } = f.params;
  for (let g = 1; g < w.length; g++) f.set(w[g], i32.add(w[g - 1], rowBytes));
  row();
  for (const group of sums) {
    writeOut(f, group);
    f.advance(y, 32);
    f.if(bias, () => f.advance(bias, 32));
  }
  if (w.length > 1) f.set(w[0], w[w.length - 1]);
  f.advance(left, -w.length);
}

/**
 * Adds up a row's blocks, a chain for each segment of the columns (docs/numerics.md). Between two segments the sums are in
 * memory, so that the walk over the blocks has all registers.
 */
function inSegments(f: ProductFunc, zero: Pair, sums: Sums, record: Walkers['record'], block: Block): void {
  const { blocks, scratch } = f.params;
  const recordBytes = record.bytes * sums[0].length;
  const segmentBytes = i32.const((segmentColumns / record.columns) * recordBytes);
  const x = f.local('i32', f.params.x);
  const last = f.local('i32', i32.add(x, i32.mul(blocks, i32.const(recordBytes))));
  const end = f.local('i32', x);
  const totals = sums.flat().map((sum, i) => ({ sum, at: totalsAt + 32 * i }));
  f.doWhile(
    () => {
      for (const { sum } of totals) setPair(f, sum, zero);
      f.advance(end, segmentBytes);
      f.if(i32.ltU(last, end), () => f.set(end, last));
      f.doWhile(
        () => block(x),
        () => i32.ltU(x, end),
      );
      f.if(i32.ltU(i32.add(f.params.x, segmentBytes), end), () => {
        for (const { sum, at } of totals) {
          const total = pair(h => f32x4.add(v128.load(scratch, at + 16 * h), sum[h]));
          setPair(f, sum, total);
        }
      });
      f.if(i32.ltU(x, last), () => {
        for (const { sum, at } of totals) storePair(f, scratch, sum, at);
      });
    },
    () => i32.ltU(x, last),
  );
}

function writeOut(f: ProductFunc, sums: readonly Pair<Local<'v128'>>[]): void {
  const { y, stride, bias, accumulate } = f.params;
  const at = f.local('i32', y);
  f.if(bias, () => {
    for (const sum of sums)
      setPair(
        f,
        sum,
        pair(half => f32x4.add(sum[half], v128.load(bias, 16 * half))),
      );
  });
  f.if(
    accumulate,
    () => {
      for (const sum of sums) {
        setPair(
          f,
          sum,
          pair(half => f32x4.add(v128.load(at, 16 * half), sum[half])),
        );
        storePair(f, at, sum);
        f.advance(at, stride);
      }
    },
    () => {
      for (const sum of sums) {
        storePair(f, at, sum);
        f.advance(at, stride);
      }
    },
  );
}

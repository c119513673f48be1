/**
 * Packing where a word keeps its bits in another order: those of four columns in a row, which kernels multiply together, in the
 * same place of its four bytes.
 */
import { codeKey } from '../quant/codes.ts';
import type { QuantFormat } from '../quant/format.ts';
import { type Func, type I32, i32, type Local } from './assembler.ts';
import type { packParams } from './layout.ts';

/** Makes a word of the kernels' form of one of the file's. */
export type Regroup = (f: Func<typeof packParams>, word: I32) => Local<'i32'>;

/**
 * By how the bits stand in the file and in memory. The number of a bit in its word is five bits; each step exchanges two of
 * these, the lowest being 0.
 */
const exchanges: Readonly<Record<string, readonly (readonly [high: number, low: number])[]>> = {
  '1x1 odd, 1x4 odd': [[4, 1], [3, 0], [2, 1], [1, 0]],
  '2x1, 2x4': [[4, 2], [3, 1]],
}; // biome-ignore format: lists

/** Undefined: the kernels' form is of another kind. */
export function regroupOf({ integers, expanded }: QuantFormat): Regroup | undefined {
  const [from, to] = [integers?.weights, expanded?.integers?.weights];
  if (!from || !to || !('bits' in from) || !('bits' in to)) return undefined;
  const steps = exchanges[`${codeKey(from)}, ${codeKey(to)}`];
  return (
    steps &&
    ((f, word) => {
      const [bits, changed] = [f.local('i32', word), f.local('i32')];
      for (const [high, low] of steps) {
        const apart = i32.const(2 ** high - 2 ** low);
        f.set(changed, i32.and(i32.xor(i32.shrU(bits, apart), bits), i32.const(movedUp(high, low))));
        f.set(bits, i32.xor(bits, i32.xor(changed, i32.shl(changed, apart))));
      }
      return bits;
    })
  );
}

/** The bits whose number has bit `low` and not bit `high`. */
const movedUp = (high: number, low: number): number =>
  Array.from({ length: 32 }, (_, i) => i).reduce(
    (mask, i) => ((i >> low) & 1 && !((i >> high) & 1) ? mask | (1 << i) : mask),
    0,
  );

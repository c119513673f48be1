/** Which variant of the kernels is used for which number of tokens, from how they did. No clocks, no files. */
import { type KernelPart, type KernelSize, sizesOf, variants, variantsOf } from '../../kernels/module.ts';

/** Of a part: the variant's name for each of its sizes. */
export type Choice = Partial<Record<KernelSize, string>>;

/** How a variant did. */
export interface Verdict {
  readonly part: KernelPart;
  readonly variant: string;
  /** Bits equal to the reference's. */
  readonly agrees: boolean;
  /** The best time of a fixed piece of work for each size; absent when it was not timed. */
  readonly microseconds?: Partial<Record<KernelSize, number>>;
  /** Why it could not run at all. */
  readonly error?: string;
}

/** The same variant for every size. */
export const everywhere = (part: KernelPart, variant: string): Choice =>
  Object.fromEntries(sizesOf(part).map(size => [size, variant]));

/** The distinct variants of a choice. */
export const variantsIn = (choice: Choice): readonly string[] => [...new Set(Object.values(choice))];

/**
 * Those to choose from: variants that agree. The same kernels without the re-vectoriser are never faster; they are
 * candidates when nothing else agrees.
 */
export function candidates(verdicts: readonly Verdict[]): readonly Verdict[] {
  const good = verdicts.filter(({ agrees }) => agrees);
  const names = new Set(variants.filter(v => v.revectorize).map(v => v.name));
  const vectorized = good.filter(({ variant }) => names.has(variant));
  return vectorized.length > 0 ? vectorized : good;
}

/** Times that differ by less than this are the same: two measurements of one variant differ as much. */
const noise = 0.05;

/** For each size the fastest candidate; among those that are as fast, the first in the list of variants. */
export function choiceOf(part: KernelPart, verdicts: readonly Verdict[]): Choice | undefined {
  const order = variantsOf(part).map(({ name }) => name);
  const list = candidates(verdicts).toSorted((a, b) => order.indexOf(a.variant) - order.indexOf(b.variant));
  const [first] = list;
  if (!first) return undefined;
  const fastest = (size: KernelSize): string => {
    const times = list.map(({ microseconds }) => microseconds?.[size] ?? Number.POSITIVE_INFINITY);
    const limit = Math.min(...times) * (1 + noise);
    return list[times.findIndex(time => time <= limit)]?.variant ?? first.variant;
  };
  return Object.fromEntries(sizesOf(part).map(size => [size, fastest(size)]));
}

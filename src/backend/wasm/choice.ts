/** Which variant of the kernels is used for which number of tokens, from how they did. No clocks, no files. */
import { type KernelPart, type KernelSize, sizesOf, variants, variantsOf } from '../../kernels/module.ts';

/** Names the variant for each size of a part. */
export type Choice = Partial<Record<KernelSize, string>>;

/** How a variant did. */
export interface Verdict {
  readonly part: KernelPart;
  readonly variant: string;
  /** Bits equal to the reference's. */
  readonly agrees: boolean;
  /** For each size the best times of a fixed piece of work, one of each half of the rounds; absent when it was not timed. */
  readonly microseconds?: Partial<Record<KernelSize, readonly number[]>>;
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

/** Halves that differ by more than this were measured on a busy machine and decide nothing. */
const unsteady = 0.15;

const isSteady = (times: readonly number[]): boolean => Math.max(...times) < Math.min(...times) * (1 + unsteady);

/** Faster by more than noise, whichever half of the rounds one looks at, on a machine that was not busy. */
function clearlyFaster(size: KernelSize, a: Verdict, b: Verdict): boolean {
  const [times, others] = [a.microseconds?.[size], b.microseconds?.[size]];
  if (!times || !others || !isSteady(times) || !isSteady(others)) return false;
  return times.every((time, half) => time * (1 + noise) < others[half]);
}

/** Chooses for each size the first candidate in the list of variants, or a later one that is clearly faster. */
export function choiceOf(part: KernelPart, verdicts: readonly Verdict[]): Choice | undefined {
  const order = variantsOf(part).map(({ name }) => name);
  const list = candidates(verdicts).toSorted((a, b) => order.indexOf(a.variant) - order.indexOf(b.variant));
  if (list.length === 0) return undefined;
  const fastest = (size: KernelSize) => list.reduce((best, next) => (clearlyFaster(size, next, best) ? next : best));
  return Object.fromEntries(sizesOf(part).map(size => [size, fastest(size).variant]));
}

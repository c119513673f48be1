import { summary } from '../../../src/bench/bench.ts';
import type { Tokenizer } from '../../../src/tokenizer/types.ts';
import type { Seen } from './load.ts';

/** What the rows measure with. */
export interface Setup {
  readonly model: string;
  readonly tokenizer: Tokenizer;
  readonly rounds: number;
  /** Folder of a llama.cpp that was built for this machine. */
  readonly llama: string | undefined;
  /** Of a prompt of the eight tenants. */
  readonly promptTokens: number;
}

/** One line of the table. */
export interface Figure {
  readonly work: string;
  readonly seen: string;
  readonly wanted: string;
  readonly reached: boolean | undefined;
}

/** A ratio's median and spread, and what it is to be. */
export function ratioFigure(
  work: string,
  ratios: readonly number[],
  bound: { least?: number; most?: number },
  more = '',
): Figure {
  const { median, min, max } = summary(ratios);
  const { least = -Infinity, most = Infinity } = bound;
  const spread = ratios.length > 1 ? ` (${number(min)}..${number(max)})` : '';
  const wanted = bound.least === undefined ? `${bound.most}x or less` : `${bound.least}x or more`;
  const reached = median >= least && median <= most;
  return { work, seen: `${number(median)}x${spread}${more && `; ${more}`}`, wanted, reached };
}

export function factFigure(work: string, seen: string, wanted: string, reached: boolean): Figure {
  return { work, seen, wanted, reached };
}

export function number(value: number): string {
  return value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
}

export const firstMs = ({ arrivals, startMs }: Seen): number => arrivals[0]! - startMs;

/** Between one token of an answer and the next, ms. */
export const gapsOf = ({ arrivals }: Seen): number[] => arrivals.slice(1).map((at, i) => at - arrivals[i]!);

/** The value below which a share of them lies, the next higher one. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
}

/** Mistakes in a measurement are no figures. */
export function expect(condition: boolean, what: string): void {
  if (!condition) throw new Error(`the measurement is worth nothing: ${what}`);
}

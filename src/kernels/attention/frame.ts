/** What the parts of an attention kernel share. */
import { type Func, type I32, i32, type Local } from '../assembler.ts';

export const attentionParams = {
  /** First query head; the others follow, valueDim apart. */
  q: 'i32',
  /** Their dimensions from valueDim on, headDim - valueDim apart. */
  rotated: 'i32',
  /** They follow valueDim apart. */
  out: 'i32',
  headDim: 'i32',
  /** As headDim; fewer where a key's first dimensions are its value. */
  valueDim: 'i32',
  /** Block table: i32 page numbers of the sequence. */
  pages: 'i32',
  /** Keys of page 0. */
  base: 'i32',
  /** Bytes between pages. */
  pageBytes: 'i32',
  /** Bytes from a page's keys to its values; 0: they are the keys' first dimensions. */
  valuesAt: 'i32',
  /** Visible positions: from..to-1. */
  from: 'i32',
  to: 'i32',
  scale: 'f32',
  /** Softcap, or 0. */
  cap: 'f32',
  /** The queries' sinks, or 0. */
  sinks: 'i32',
  /** This thread's scratch: 2 KiB and 8 * headDim * queries bytes. */
  scratch: 'i32',
} as const;

export type AttentionFunc = Func<typeof attentionParams>;

/** Most query heads of one call. */
export const maxQueries = 8;

/** Pages of a split: what is summed on its own before it is combined with the splits before (docs/numerics.md). */
export const splitPages = 8;

/**
 * Where things stand in the scratch. Eight f32, one for each query. Of a split: the largest score of the pages before,
 * the same with this page's, the sum of the weights, and what the page takes from earlier sums.
 */
export const maxAt = 0;
export const nextMaxAt = 32;
export const totalAt = 64;
export const decayAt = 96;
/** Of all splits so far: the largest score, the sum of the weights; what is kept of them and added of the next. */
export const wholeMaxAt = 128;
export const wholeTotalAt = 160;
export const keptAt = 192;
export const addedAt = 224;
/** Eight f32 for each query. */
export const eightsAt = 256;
/** Scores of a page, then its weights: [queries][32] f32. */
export const scoresAt = 512;
/** Four dimensions of a page's keys as f32: [4][32]. */
export const stageAt = 1536;
/** The scaled queries: [headDim / 8][queries][8] f32; behind them a split's weighted values: [queries][valueDim] f32. */
export const queriesAt = 2048;

/** The page that a call is at. */
export interface Page {
  readonly keys: Local<'i32'>;
  readonly values: Local<'i32'>;
  /** Visible positions in the page: low..high-1. */
  readonly low: Local<'i32'>;
  readonly high: Local<'i32'>;
}

/** Vectors of eight that are walked together: eight sums keep the adders busy and stay in registers. */
export const widthOf = (queries: number): number => (queries > 4 ? 1 : queries > 2 ? 2 : 4);

/** Runs `body` `count` times, eight times in a row where it can. */
export function unrolled(f: Func, count: I32, body: () => void): void {
  f.for(i32.shrU(count, i32.const(3)), () => {
    for (let i = 0; i < 8; i++) body();
  });
  f.for(i32.and(count, i32.const(7)), body);
}

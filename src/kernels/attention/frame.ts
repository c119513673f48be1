/** What the parts of an attention kernel share. */
import type { Func, Local } from '../assembler.ts';

export const attentionParams = {
  /** First query head; the others follow, headDim apart. */
  q: 'i32',
  out: 'i32',
  headDim: 'i32',
  /** Block table: i32 page numbers of the sequence. */
  pages: 'i32',
  /** Keys of page 0. */
  base: 'i32',
  /** Bytes between pages. */
  pageBytes: 'i32',
  /** Bytes from a page's keys to its values. */
  valuesAt: 'i32',
  /** Visible positions: from..to-1. */
  from: 'i32',
  to: 'i32',
  scale: 'f32',
  /** Softcap, or 0. */
  cap: 'f32',
  /** This thread's scratch: 4 * (headDim + 32) * queries bytes. */
  scratch: 'i32',
} as const;

export type AttentionFunc = Func<typeof attentionParams>;

/** What one call keeps for each query. */
export interface State {
  readonly max: Local<'f32'>[];
  readonly total: Local<'f32'>[];
  readonly decay: Local<'f32'>[];
}

/** Scores of a page, [queries][32] f32, lie after the scaled queries, [headDim][queries]. */
export interface Page {
  readonly keys: Local<'i32'>;
  readonly values: Local<'i32'>;
  readonly scores: Local<'i32'>;
  /** Visible positions in the page: low..high-1. */
  readonly low: Local<'i32'>;
  readonly high: Local<'i32'>;
}

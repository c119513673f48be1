import type { formats } from './formats.ts';

/** The tensor types that Realm computes with, by ggml's names. */
export type QuantType = keyof typeof formats;

/** The tensor types that Realm computes with, by ggml's names. */
export type QuantType =
  | 'F32'
  | 'F16'
  | 'BF16'
  | 'Q4_0'
  | 'Q4_1'
  | 'Q5_0'
  | 'Q5_1'
  | 'Q8_0'
  | 'Q2_K'
  | 'Q3_K'
  | 'Q4_K'
  | 'Q5_K'
  | 'Q6_K'
  | 'Q8_K'
  | 'IQ4_NL'
  | 'IQ4_XS';

/** Where the scales of a block stand, in bytes from its start, and as what kind of number. A float is its own scale. */
export interface Scales {
  readonly kind: 'F16' | 'BF16' | 'F32';
  readonly offsets: readonly number[];
}

/** One quantisation format: its block layout and the scalar decoder that is the oracle for every kernel. */
export interface QuantFormat {
  readonly name: QuantType;
  /** ggml's type number in a GGUF file. */
  readonly id: number;
  /** Elements in a block. */
  readonly blockSize: number;
  /** Bytes of a block. */
  readonly blockBytes: number;
  /** Minimums included: what makes every token NaN when it is not finite. */
  readonly scales: Scales;
  /** Decodes `count` elements (a multiple of blockSize) of `source`, in f32 arithmetic as ggml does it. */
  decode(source: Uint8Array, target: Float32Array, count: number): void;
}

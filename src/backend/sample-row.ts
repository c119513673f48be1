/** What a backend needs to know to choose a token. */

/** One row of logits from which a token is wanted. */
export interface SampleRow {
  readonly spec: SamplingSpec;
  /** Prompt and answer so far: the first `length` of these. */
  readonly tokens: readonly number[];
  readonly length: number;
  /** Leading ones that are not the answer's. */
  readonly promptTokens: number;
  /**
   * The last of its tokens is a guess at what the row before chooses. Where that one chooses another, nobody wants this row, and
   * a backend may leave it out.
   */
  readonly guessed?: boolean;
  /** Its mask has every bit set: a backend need not look at it. */
  readonly unmasked?: boolean | undefined;
}

/** How a token is chosen, every field given. The order: penalties, bias, mask, temperature, top-k, top-p of what that left, min-p. */
export interface SamplingSpec {
  /** 0 takes the most likely one, the first of equals. */
  readonly temperature: number;
  /** Keeps the k most likely; 0 keeps all. */
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  readonly repetitionPenalty: number;
  readonly presencePenalty: number;
  readonly frequencyPenalty: number;
  /** Last tokens that the repetition penalty looks at. */
  readonly penaltyWindow: number;
  /** -100 bans a token, as long as another is left. */
  readonly bias: readonly (readonly [token: number, value: number])[];
  /** Low and high 32 bits; with the position in the answer it gives the random number (`sampling/random.ts`). */
  readonly seed: readonly [low: number, high: number];
}

/** What stands in place of a token: no finite greatest logit; a mask that allows nothing; left out, see {@link SampleRow.guessed}. */
export const unsampled = { notFinite: -1, allBanned: -2, leftOut: -3 } as const;

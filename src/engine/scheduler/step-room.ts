/** Rows that the kernels multiply at once: fewer cost as much. */
const tile = 6;

export interface StepLimits {
  /** Tokens in one step, more than maxRunning. */
  readonly maxBatchedTokens: number;
  /** Prompt tokens in a step in which others decode, however quick they are. */
  readonly prefillChunk: number;
  /**
   * Prompt tokens at `position` that sequences that decode, so many, are to wait for; beside none, those that whoever comes
   * meanwhile is to wait for. Absent: prefillChunk, and maxBatchedTokens.
   */
  readonly pieceTokens?: (position: number, decoding: number) => number;
}

/** What of prompts still goes into one step: all that the step holds while nobody waits for it, and pieces while others decode. */
export class StepRoom {
  readonly #limits: StepLimits;
  readonly #decoding: number;
  /** Tokens that may still come, if they are quick enough. */
  tokens: number;
  /** Share of the time for prompts that is left. */
  #share = 1;

  constructor(limits: StepLimits, decoding: number) {
    const { maxBatchedTokens, prefillChunk } = limits;
    this.#limits = limits;
    this.#decoding = decoding;
    this.tokens = decoding > 0 ? Math.min(prefillChunk, maxBatchedTokens - decoding) : maxBatchedTokens;
  }

  get full(): boolean {
    return this.tokens <= 0;
  }

  /** Tokens of a prompt at `position` that fit. `whole`: it need not be cut for those that decode. */
  fits(position: number, whole: boolean): number {
    return whole ? this.tokens : Math.min(this.tokens, Math.floor(this.#share * this.#piece(position)));
  }

  take(position: number, count: number): void {
    this.tokens -= count;
    this.#share = Math.max(0, this.#share - count / this.#piece(position));
  }

  /** The rows of the step fill tiles. A prompt always moves on, by a tile of its own, however long that takes. */
  #piece(position: number): number {
    const tokens = this.#limits.pieceTokens?.(position, this.#decoding) ?? Infinity;
    if (this.#decoding === 0) return Math.max(tile, tokens);
    if (tokens === Infinity) return tokens;
    const rows = Math.floor((this.#decoding + tokens) / tile) * tile;
    return Math.max(tile, rows - this.#decoding);
  }
}

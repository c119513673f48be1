/** Rows that the kernels multiply at once: fewer cost as much. */
const tile = 6;
/** Sums of shares miss whole tokens by this much at most. */
const rounding = 1e-6;
/** More tokens than any step has. */
const unlimited = 2 ** 30;

export interface StepLimits {
  /** Tokens in one step, more than maxRunning. */
  readonly maxBatchedTokens: number;
  /** Prompt tokens in a step in which others decode, however quick they are. */
  readonly prefillChunk: number;
  /**
   * Prompt tokens at `position` that sequences that decode, so many, are to wait for; beside none, those that whoever comes
   * meanwhile is to wait for. `first`: of a tenant that waits for its first token. Absent: prefillChunk, and maxBatchedTokens.
   */
  readonly pieceTokens?: (position: number, decoding: number, first: boolean) => number;
}

/** Says how many tokens of prompts still go into one step: all that it holds while nobody decodes, and pieces while others do. */
export class StepRoom {
  readonly #limits: StepLimits;
  readonly #decoding: number;
  /** Tokens that may still come, if they are quick enough. */
  tokens: number;
  /** What has been taken, in pieces that are not first ones: time, whatever the positions. */
  #taken = 0;

  constructor(limits: StepLimits, decoding: number) {
    const { maxBatchedTokens, prefillChunk } = limits;
    this.#limits = limits;
    this.#decoding = decoding;
    this.tokens = decoding > 0 ? Math.min(prefillChunk, maxBatchedTokens - decoding) : maxBatchedTokens;
  }

  get full(): boolean {
    return this.tokens <= 0;
  }

  /** Tokens of a prompt at `position` that fit. `first`: its tenant waits for a first token, and may keep those that decode longer. */
  fits(position: number, first: boolean): number {
    const left = this.#piece(position, first) - this.#taken * this.#piece(position, false);
    return Math.min(this.tokens, Math.max(0, Math.floor(left + rounding)));
  }

  take(position: number, count: number): void {
    this.tokens -= count;
    this.#taken += count / this.#piece(position, false);
  }

  /** The rows of the step fill tiles. A prompt always moves on, by a tile of its own, however long that takes. */
  #piece(position: number, first: boolean): number {
    const tokens = this.#limits.pieceTokens?.(position, this.#decoding, first) ?? unlimited;
    if (this.#decoding === 0) return Math.max(tile, tokens);
    const rows = Math.floor((this.#decoding + tokens) / tile) * tile;
    return Math.max(tile, rows - this.#decoding);
  }
}

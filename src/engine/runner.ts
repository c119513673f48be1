import type { Segment } from '../backend/backend.ts';
import type { Model } from '../model/types.ts';
import type { Work } from './scheduler.ts';
import type { Sequence } from './sequence.ts';

/** Turns a plan into one batch and runs it. */
export class Runner {
  readonly #model: Model;
  readonly #ids: Int32Array; // [maxBatchTokens]
  readonly #positions: Int32Array; // [maxBatchTokens]

  constructor(model: Model) {
    this.#model = model;
    this.#ids = new Int32Array(model.maxBatchTokens);
    this.#positions = new Int32Array(model.maxBatchTokens);
  }

  /** The sequences whose next token can be sampled now; the logits of the i-th are at model.logits(i). */
  async run(work: readonly Work[]): Promise<Sequence[]> {
    const segments: Segment[] = [];
    const outputs: number[] = [];
    const ready: Sequence[] = [];
    let tokens = 0;
    for (const { sequence, count } of work) {
      segments.push(this.#segment(sequence, tokens, count));
      tokens += count;
      if (sequence.computed + count < sequence.tokens.length) continue;
      outputs.push(tokens - 1);
      ready.push(sequence);
    }
    await this.#model.run({
      tokens,
      segments,
      ids: this.#ids.subarray(0, tokens),
      positions: this.#positions.subarray(0, tokens),
      outputs: Int32Array.from(outputs),
    });
    return ready;
  }

  #segment(sequence: Sequence, start: number, count: number): Segment {
    const position = sequence.computed;
    for (let i = 0; i < count; i++) {
      this.#ids[start + i] = sequence.tokens[position + i];
      this.#positions[start + i] = position + i;
    }
    return { start, count, position, pages: Int32Array.from(sequence.pages) };
  }
}

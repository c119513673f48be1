import type { AdaptedSegment, Model } from '../model/types.ts';
import type { Work } from './scheduler.ts';
import type { Sequence } from './sequence.ts';

/** What a batch has computed. */
export interface Ran {
  /** The sequences whose next token can be sampled now; the logits of the i-th are at model.logits(i). */
  readonly ready: readonly Sequence[];
  /** Whose hidden states are wanted: that of the token at `position + i` is at model.state(row + i). */
  readonly embedded: readonly { sequence: Sequence; row: number; position: number; count: number }[];
}

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

  async run(work: readonly Work[]): Promise<Ran> {
    const segments: AdaptedSegment[] = [];
    const outputs: number[] = [];
    const ready: Sequence[] = [];
    const embedded: Ran['embedded'][number][] = [];
    let tokens = 0;
    for (const { sequence, count } of byAdapter(work)) {
      const position = sequence.computed;
      segments.push(this.#segment(sequence, tokens, count));
      tokens += count;
      if (sequence.states) embedded.push({ sequence, row: tokens - count, position, count });
      else if (position + count === sequence.tokens.length) {
        outputs.push(tokens - 1);
        ready.push(sequence);
      }
    }
    await this.#model.run({
      tokens,
      segments,
      ids: this.#ids.subarray(0, tokens),
      positions: this.#positions.subarray(0, tokens),
      outputs: Int32Array.from(outputs),
      states: embedded.length > 0,
    });
    return { ready, embedded };
  }

  #segment(sequence: Sequence, start: number, count: number): AdaptedSegment {
    const position = sequence.computed;
    for (let i = 0; i < count; i++) {
      this.#ids[start + i] = sequence.tokens[position + i];
      this.#positions[start + i] = position + i;
    }
    return { start, count, position, pages: Int32Array.from(sequence.pages), adapter: sequence.adapter?.adapter };
  }
}

/** Sequences with the same adapter side by side: they are multiplied with it together. */
function byAdapter(work: readonly Work[]): readonly Work[] {
  if (!work.some(({ sequence }) => sequence.adapter)) return work;
  const groups = Map.groupBy(work, ({ sequence }) => sequence.adapter);
  return [...groups.values()].flat();
}

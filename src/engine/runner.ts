import type { GiveWay } from '../backend/backend.ts';
import type { AdaptedSegment, Model } from '../model/types.ts';
import type { Token } from '../tokenizer/types.ts';
import type { Work } from './scheduler/plan.ts';
import type { Sequence } from './sequence.ts';

/** What a batch has computed. */
export interface Ran {
  /** 1, or less where it was preempted. */
  readonly share: number;
  /** The sequences whose next token can be sampled now, from model.logits(output); the rows after it are its draft's. */
  readonly ready: readonly { sequence: Sequence; output: number; draft: readonly Token[] }[];
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

  /** `preempt` is asked on the way whether to stop; what is computed then is worth nothing. */
  async run(work: readonly Work[], preempt?: GiveWay): Promise<Ran> {
    const segments: AdaptedSegment[] = [];
    const outputs: number[] = [];
    const ready: Ran['ready'][number][] = [];
    const embedded: Ran['embedded'][number][] = [];
    let tokens = 0;
    for (const { sequence, count, draft } of byAdapter(work)) {
      const position = sequence.computed;
      segments.push(this.#segment(sequence, tokens, count, draft));
      tokens += count;
      if (sequence.states) embedded.push({ sequence, row: tokens - count, position, count });
      else if (position + count === sequence.tokens.length) {
        ready.push({ sequence, output: outputs.length, draft });
        for (let row = tokens - 1; row < tokens + draft.length; row++) outputs.push(row);
      }
      tokens += draft.length;
    }
    const batch = {
      tokens,
      segments,
      ids: this.#ids.subarray(0, tokens),
      positions: this.#positions.subarray(0, tokens),
      outputs: Int32Array.from(outputs),
      states: embedded.length > 0,
    };
    return { share: await this.#model.run(batch, preempt), ready, embedded };
  }

  #segment(sequence: Sequence, start: number, known: number, draft: readonly Token[]): AdaptedSegment {
    const position = sequence.computed;
    const count = known + draft.length;
    for (let i = 0; i < count; i++) {
      this.#ids[start + i] = i < known ? sequence.tokens[position + i] : draft[i - known];
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

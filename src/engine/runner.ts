import type { GiveWay } from '../backend/backend.ts';
import type { AdaptedSegment, Model } from '../model/types.ts';
import type { Token } from '../tokenizer/types.ts';
import type { PageCopy, Work } from './scheduler/plan.ts';
import type { Sequence } from './sequence.ts';

/** What a batch has computed. */
export interface BatchOutput {
  readonly work: readonly Work[];
  /** The part of the work that was done: 1, or less where it was preempted. */
  readonly fraction: number;
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
  /** A page on its way from one place to another. [model.pageBytes] */
  readonly #page: Uint8Array;

  constructor(model: Model) {
    this.#model = model;
    this.#ids = new Int32Array(model.maxBatchTokens);
    this.#positions = new Int32Array(model.maxBatchTokens);
    this.#page = new Uint8Array(model.pageBytes);
  }

  copy(copies: readonly PageCopy[]): void {
    for (const { from, to } of copies) {
      this.#model.readPage(from, this.#page);
      this.#model.writePage(to, this.#page);
    }
  }

  /** `preempt` is asked on the way whether to stop; what is computed then is worth nothing. */
  async run(work: readonly Work[], preempt?: GiveWay): Promise<BatchOutput> {
    const segments: AdaptedSegment[] = [];
    const outputs: number[] = [];
    const ready: BatchOutput['ready'][number][] = [];
    const embedded: BatchOutput['embedded'][number][] = [];
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
    return { work, fraction: await this.#model.run(batch, preempt), ready, embedded };
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

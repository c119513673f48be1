import type { Token } from '../../tokenizer/types.ts';
import type { ConstrainedAnswer } from './constrained-answer.ts';

/** Rows of logits of one sequence: the row behind it, and one behind each token of its draft. */
export interface MaskedRows {
  readonly answer: ConstrainedAnswer | undefined;
  readonly draft: readonly Token[];
  readonly first: number;
}

/** The masks of a batch's rows of logits. */
export class Masks {
  readonly #words: number;
  readonly #free: Uint32Array | undefined;
  /** [rows, words]; it grows. */
  #room = new Uint32Array(0);

  /** `free`: the masks of rows that nothing constrains, [most rows, words]; absent: all tokens are allowed there. */
  constructor(vocabSize: number, free?: Uint32Array) {
    this.#words = Math.ceil(vocabSize / 32);
    this.#free = free;
  }

  /** Of `count` rows in all; none where nothing is masked. Good until the next time. */
  of(rows: readonly MaskedRows[], count: number): Uint32Array | undefined {
    const words = this.#words;
    if (!rows.some(({ answer }) => answer)) return this.#free?.subarray(0, count * words);
    if (this.#room.length < count * words) this.#room = new Uint32Array(count * words);
    for (const { answer, draft, first } of rows) {
      const into = this.#room.subarray(first * words, (first + 1 + draft.length) * words);
      if (answer) answer.masks(draft, into, words);
      else if (this.#free) into.set(this.#free.subarray(0, into.length));
      else into.fill(0xffffffff);
    }
    return this.#room.subarray(0, count * words);
  }
}

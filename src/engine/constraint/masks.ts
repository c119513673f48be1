import type { Token } from '../../tokenizer/types.ts';
import type { ConstrainedAnswer } from './constrained-answer.ts';

/** Rows of logits of one sequence: the row behind it, and one behind each token of its draft. */
export interface MaskedRows {
  readonly answer: ConstrainedAnswer | undefined;
  readonly draft: readonly Token[];
  readonly first: number;
  /** All that may come in the first of its rows. [words] */
  readonly only?: Uint32Array | undefined;
  /** Tokens that may not come yet in so many of its rows. */
  readonly banned?: { readonly tokens: ReadonlySet<Token>; readonly rows: number } | undefined;
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
    if (!rows.some(({ answer, only, banned }) => answer || only || banned))
      return this.#free?.subarray(0, count * words);
    if (this.#room.length < count * words) this.#room = new Uint32Array(count * words);
    for (const { answer, draft, first, only, banned } of rows) {
      const into = this.#room.subarray(first * words, (first + 1 + draft.length) * words);
      if (answer) answer.masks(draft, into, words);
      else if (this.#free) into.set(this.#free.subarray(0, into.length));
      else into.fill(0xffffffff);
      if (only) for (const [word, bits] of only.entries()) into[word] = into[word]! & bits;
      if (banned) ban(banned.tokens, into.subarray(0, banned.rows * words), words);
    }
    return this.#room.subarray(0, count * words);
  }
}

/** Bans the tokens in every row where another is left: what a constraint leaves no choice about stays. rows: [rows, words] */
function ban(tokens: ReadonlySet<Token>, rows: Uint32Array, words: number): void {
  for (let start = 0; start < rows.length; start += words) {
    const row = rows.subarray(start, start + words);
    const allowed = [...tokens].filter(token => row[token >> 5]! & (1 << (token & 31)));
    for (const token of allowed) row[token >> 5]! &= ~(1 << (token & 31));
    if (row.some(word => word !== 0)) continue;
    for (const token of allowed) row[token >> 5]! |= 1 << (token & 31);
  }
}

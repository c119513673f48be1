import { RealmError } from '../errors.ts';
import type { Pooling } from '../model/pooling.ts';
import type { Head, Model } from '../model/types.ts';

interface After {
  readonly head?: Head | undefined;
  /** What the head makes is a score, whose length is what it says. */
  readonly scores?: boolean;
}

/** The hidden states of one text, pooled into a vector of length 1, or into a score. */
export class Pooler {
  readonly kind: Exclude<Pooling, 'rank'>;
  /** Sums in f64, states in the order of their positions: pieces of a prompt change no bit. */
  readonly #sums: Float64Array; // [width]
  readonly #after: After;

  constructor(kind: Exclude<Pooling, 'rank'>, width: number, after: After = {}) {
    this.kind = kind;
    this.#sums = new Float64Array(width);
    this.#after = after;
  }

  /** Takes the state of the token at `position`; they come in order, from 0 again when the text is computed anew. */
  add(position: number, state: Float32Array): void {
    if (this.kind === 'last' || position === 0) this.#sums.fill(0);
    if (this.kind === 'cls' && position > 0) return;
    state.forEach((value, i) => {
      this.#sums[i] = (this.#sums[i] ?? 0) + value;
    });
  }

  /** Scaling to length 1 makes dividing by the number of tokens needless: heads behind a mean are linear. */
  vector(): Float32Array {
    const { head, scores } = this.#after;
    const values = head ? head.apply(this.#sums) : this.#sums;
    if (scores) return Float32Array.from(values);
    const length = Math.sqrt(values.reduce((total, value) => total + value * value, 0));
    return Float32Array.from(values, value => (length === 0 ? 0 : value / length));
  }
}

/**
 * Makes the pooler for one text. The last token has seen all of it, and stands for it where the model does not say how to pool; a
 * score is read where an encoder's texts begin and a decoder's end.
 */
export function createPooler(
  { pooling = 'last', width, head, encoder }: Pick<Model, 'pooling' | 'width' | 'head' | 'encoder'>,
  { rank = false }: { readonly rank?: boolean | undefined } = {},
): Pooler {
  if (pooling !== 'rank' && !rank) return new Pooler(pooling, width, { head });
  if (pooling === 'rank' && rank && head) return new Pooler(encoder ? 'cls' : 'last', width, { head, scores: true });
  const what = rank ? 'does not rank texts' : 'ranks texts and has no embeddings';
  throw new RealmError('invalid_request', `the model ${what}: use another model`, { param: 'model' });
}

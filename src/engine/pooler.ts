import { RealmError } from '../errors.ts';
import type { Pooling } from '../model/pooling.ts';
import type { Model } from '../model/types.ts';

/** The hidden states of one text, pooled into a vector of length 1. */
export class Pooler {
  readonly kind: Exclude<Pooling, 'rank'>;
  /** Sums in f64, states in the order of their positions: pieces of a prompt change no bit. */
  readonly #sums: Float64Array; // [width]

  constructor(kind: Exclude<Pooling, 'rank'>, width: number) {
    this.kind = kind;
    this.#sums = new Float64Array(width);
  }

  /** Takes the state of the token at `position`; they come in order, from 0 again when the text is computed anew. */
  add(position: number, state: Float32Array): void {
    if (this.kind === 'last' || position === 0) this.#sums.fill(0);
    if (this.kind === 'cls' && position > 0) return;
    state.forEach((value, i) => {
      this.#sums[i] = (this.#sums[i] ?? 0) + value;
    });
  }

  /** Scaling to length 1 makes dividing by the number of tokens needless. */
  vector(): Float32Array {
    const length = Math.sqrt(this.#sums.reduce((total, sum) => total + sum * sum, 0));
    return Float32Array.from(this.#sums, sum => (length === 0 ? 0 : sum / length));
  }
}

/** Makes the pooler for one text. The last token has seen all of it, and stands for it where the model does not say how to pool. */
export function createPooler({ pooling = 'last', width }: Model): Pooler {
  if (pooling !== 'rank') return new Pooler(pooling, width);
  throw new RealmError('invalid_request', 'the model ranks texts and has no embeddings: use another model', {
    param: 'model',
  });
}

import { candidates, greatestOf } from '../../backend/sampling/candidates.ts';
import { softmaxWeights } from '../../backend/sampling/softmax-weights.ts';
import { RealmError } from '../../errors.ts';
import type { Token } from '../../tokenizer/types.ts';
import type { TokenLogprob } from '../request.ts';

/** Probabilities in the untouched distribution: temperature 1, no filters. Keeps scratch memory, no state. */
export class Logprobs {
  readonly #ids: Int32Array; // [vocab]
  readonly #keys: Float64Array; // [vocab]

  constructor(vocabSize: number) {
    this.#ids = new Int32Array(vocabSize);
    this.#keys = new Float64Array(vocabSize);
  }

  /** That of `token`, of the `top` most likely ones and of those `scored`. logits: [vocab]. Throws `engine_failed` where none is finite. */
  of(logits: Float32Array, token: Token, top: number, scored?: readonly Token[]): TokenLogprob {
    const best = greatestOf(logits);
    if (!Number.isFinite(best)) throw new RealmError('engine_failed', 'the model gave no usable logits');
    const all = candidates(logits, 0, this.#ids, this.#keys);
    const norm = best + Math.log(softmaxWeights(this.#keys, all, best, 1));
    const of = (id: number): number => logits[id] - norm;
    const count = top > 0 ? candidates(logits, top, this.#ids, this.#keys) : 0;
    const ids = Array.from(this.#ids.subarray(0, count)).sort((a, b) => logits[b] - logits[a] || a - b);
    const said = { token, logprob: of(token), top: ids.map(id => ({ token: id as Token, logprob: of(id) })) };
    return scored ? { ...said, scores: scored.map(of) } : said;
  }
}

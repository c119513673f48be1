import type { Buffer, Routing } from '../backend/backend.ts';
import type { Step } from './decoder.ts';
import type { Loading } from './loading.ts';
import type { Router } from './router.ts';

/** What experts take, times the weight that their router gives: of one expert for a token. */
export class WeighedInput {
  readonly #router: Router;
  readonly #routing: Routing;
  /** Each token's weight beside all columns, and what that is made of: [tokens, width]. */
  readonly #weights: Buffer;
  readonly #ones: Buffer;
  /** [1, width] */
  readonly #one: Buffer;
  readonly #zero: Buffer;

  constructor({ backend, keys, config: { width }, options: { maxBatchTokens } }: Loading, router: Router) {
    const key = 'expert_used_count';
    const used = keys.number(key);
    if (used !== 1) keys.fail(key, `is ${used}; only one expert for a token is supported`);
    this.#router = router;
    this.#routing = backend.routing(maxBatchTokens, keys.number('expert_count'), 1);
    this.#weights = backend.buffer(maxBatchTokens, width);
    this.#ones = backend.buffer(maxBatchTokens, width);
    this.#one = backend.buffer(1, width);
    this.#zero = backend.buffer(1, width);
    backend.write(this.#one, 0, new Float32Array(width).fill(1));
    backend.write(this.#zero, 0, new Float32Array(width));
  }

  /** x times each token's weight by its scores; `x` stays as it is. */
  of({ backend, batch: { tokens } }: Step, x: Buffer, scores: Buffer): Buffer {
    const first = new Int32Array(tokens);
    backend.route(this.#routing, scores, tokens, this.#router);
    backend.gather(this.#ones, this.#one, first);
    backend.gather(this.#weights, this.#zero, first);
    backend.combine(this.#weights, this.#ones, this.#routing, tokens);
    backend.gate(this.#weights, this.#weights, x, 'linear', tokens);
    return this.#weights;
  }
}

import type { Buffer, Matrix, Routing } from '../backend/backend.ts';
import { most } from './config.ts';
import type { Step } from './decoder.ts';
import type { Loading } from './loading.ts';
import type { Tensors } from './tensors.ts';

/** The weights of a mixture of experts; those of all experts one below the other. */
export interface ExpertWeights {
  /** [experts, width] */
  readonly router: Matrix;
  /** [experts * feedForward, width] */
  readonly gate: Matrix;
  readonly up: Matrix;
  /** [experts * width, feedForward] */
  readonly down: Matrix;
  readonly moe: MoE;
}

const mostExperts = 1024;

/** The feed-forward networks of which each token takes a few. arXiv:2401.04088 */
export class MoE {
  readonly #experts: number;
  readonly #width: number;
  readonly #feedForward: number;
  readonly #routing: Routing;
  /** [tokens, experts] */
  readonly #scores: Buffer;
  /** A row for each token and expert that it takes. */
  readonly #gate: Buffer;
  readonly #up: Buffer;
  readonly #down: Buffer;

  /** @param feedForward width of an expert's network */
  constructor({ backend, keys, config: { width }, options }: Loading, feedForward: number) {
    const experts = keys.size('expert_count', mostExperts);
    const topK = keys.size('expert_used_count', experts);
    const slots = options.maxBatchTokens * topK;
    this.#experts = experts;
    this.#width = width;
    this.#feedForward = feedForward;
    this.#routing = backend.routing(options.maxBatchTokens, experts, topK);
    this.#scores = backend.buffer(options.maxBatchTokens, experts);
    this.#gate = backend.buffer(slots, feedForward);
    this.#up = backend.buffer(slots, feedForward);
    this.#down = backend.buffer(slots, width);
  }

  async load(tensors: Tensors, prefix: string): Promise<ExpertWeights> {
    const [experts, width, inner] = [this.#experts, this.#width, this.#feedForward];
    return {
      router: await tensors.matrix(`${prefix}.ffn_gate_inp.weight`, experts, width),
      gate: await tensors.experts(`${prefix}.ffn_gate_exps.weight`, experts, inner, width),
      up: await tensors.experts(`${prefix}.ffn_up_exps.weight`, experts, inner, width),
      down: await tensors.experts(`${prefix}.ffn_down_exps.weight`, experts, width, inner),
      moe: this,
    };
  }

  /** hidden += what the chosen experts make of `work.normed`, weighted. */
  apply({ backend, work, batch }: Step, { router, gate, up, down }: ExpertWeights): void {
    const rows = batch.tokens;
    const routing = this.#routing;
    backend.matmul(this.#scores, router, work.normed, rows);
    backend.route(routing, this.#scores, rows);
    const products = [
      { out: this.#gate, matrix: gate },
      { out: this.#up, matrix: up },
    ];
    backend.expertMatmuls(products, work.normed, 'tokens', routing, rows);
    backend.gate(this.#gate, this.#gate, this.#up, 'silu', rows * routing.topK);
    backend.expertMatmuls([{ out: this.#down, matrix: down }], this.#gate, 'slots', routing, rows);
    backend.combine(work.hidden, this.#down, routing, rows);
  }
}

/** Experts of a width of their own. */
export const readNarrowExperts = (loading: Loading): MoE =>
  new MoE(loading, loading.keys.size('expert_feed_forward_length', most.feedForward));

/** Experts as wide as a layer's feed-forward network, where a file says that it has any. */
export const readExperts = (loading: Loading): MoE | undefined =>
  loading.keys.maybe('expert_count') ? new MoE(loading, loading.config.feedForward) : undefined;

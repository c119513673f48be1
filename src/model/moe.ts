import type { Activation, Buffer, Matrix, RouterOptions, Routing } from '../backend/backend.ts';
import { most } from './config.ts';
import type { Step } from './decoder.ts';
import type { Loading } from './loading.ts';
import type { Router } from './router.ts';
import { SharedExpert, type SharedExpertOptions, type SharedExpertWeights } from './shared-expert.ts';
import type { Tensors } from './tensors.ts';

/** The weights of a mixture of experts; those of all experts one below the other. */
export interface ExpertWeights {
  /** [experts, width] */
  readonly router: Matrix;
  /** How experts are chosen by what the router gives. */
  readonly choice: RouterOptions;
  /** [experts * feedForward, width] */
  readonly gate: Matrix;
  readonly up: Matrix;
  /** [experts * width, feedForward] */
  readonly down: Matrix;
  readonly shared: SharedExpertWeights | undefined;
  readonly moe: MoE;
}

export interface MoEOptions {
  /** Default: the softmax of scores, divided by the sum of the chosen. */
  readonly router?: Router;
  /** Whether a layer brings a bias for choosing. */
  readonly biased?: (tensors: Tensors, prefix: string) => boolean;
  /** What an expert's gate goes through. Default SiLU. */
  readonly activation?: Activation;
  readonly shared?: SharedExpertOptions | undefined;
}

const mostExperts = 1024;

/** The feed-forward networks of which each token takes a few. arXiv:2401.04088 */
export class MoE {
  readonly #loading: Loading;
  readonly #experts: number;
  readonly #feedForward: number;
  readonly #options: MoEOptions;
  readonly #shared: SharedExpert | undefined;
  readonly #routing: Routing;
  /** [tokens, experts] */
  readonly #scores: Buffer;
  /** A row for each token and expert that it takes. */
  readonly #gate: Buffer;
  readonly #up: Buffer;
  readonly #down: Buffer;

  /** @param feedForward width of an expert's network */
  constructor(loading: Loading, feedForward: number, options: MoEOptions = {}) {
    const { backend, keys, config, options: limits } = loading;
    const experts = keys.size('expert_count', mostExperts);
    const topK = keys.size('expert_used_count', experts);
    const slots = limits.maxBatchTokens * topK;
    this.#loading = loading;
    this.#experts = experts;
    this.#feedForward = feedForward;
    this.#options = options;
    this.#shared = options.shared && new SharedExpert(loading, options.shared);
    this.#routing = backend.routing(limits.maxBatchTokens, experts, topK);
    this.#scores = backend.buffer(limits.maxBatchTokens, experts);
    this.#gate = backend.buffer(slots, feedForward);
    this.#up = backend.buffer(slots, feedForward);
    this.#down = backend.buffer(slots, config.width);
  }

  async load(tensors: Tensors, prefix: string): Promise<ExpertWeights> {
    const [experts, width, inner] = [this.#experts, this.#loading.config.width, this.#feedForward];
    return {
      router: await tensors.matrix(`${prefix}.ffn_gate_inp.weight`, experts, width),
      choice: await this.#choice(tensors, prefix),
      gate: await this.#half(tensors, prefix, 'gate'),
      up: await this.#half(tensors, prefix, 'up'),
      down: await tensors.experts(`${prefix}.ffn_down_exps.weight`, experts, width, inner),
      shared: await this.#shared?.load(this.#loading, prefix),
      moe: this,
    };
  }

  async #choice(tensors: Tensors, prefix: string): Promise<RouterOptions> {
    const { router = {}, biased } = this.#options;
    const [bias, scales] = [`${prefix}.exp_probs_b.bias`, `${prefix}.ffn_down_exps.scale`];
    return {
      ...router,
      ...(biased?.(tensors, prefix) && { bias: await tensors.vector(bias, this.#experts) }),
      // What each expert gives is multiplied with: its weight is.
      ...(tensors.has(scales) && { scales: await tensors.vector(scales, this.#experts) }),
    };
  }

  /** Some files have the rows of each expert's gate and up in one matrix, in this order. */
  #half(tensors: Tensors, prefix: string, half: 'gate' | 'up'): Promise<Matrix> {
    const [experts, width, inner] = [this.#experts, this.#loading.config.width, this.#feedForward];
    const fused = `${prefix}.ffn_gate_up_exps.weight`;
    if (!tensors.has(fused)) return tensors.experts(`${prefix}.ffn_${half}_exps.weight`, experts, inner, width);
    const range = { first: half === 'gate' ? 0 : inner, count: inner };
    return tensors.experts(fused, experts, 2 * inner, width, range);
  }

  /** out += what the chosen experts make of `x`, weighted; chosen by what the router makes of `judged`. A shared one adds to hidden. */
  apply(
    step: Step,
    { router, choice, gate, up, down, shared }: ExpertWeights,
    { out = step.work.hidden, x = step.work.normed, judged = x }: { out?: Buffer; x?: Buffer; judged?: Buffer } = {},
  ): void {
    const { backend, batch } = step;
    const rows = batch.tokens;
    const routing = this.#routing;
    backend.matmul(this.#scores, router, judged, rows);
    backend.route(routing, this.#scores, rows, choice);
    const products = [
      { out: this.#gate, matrix: gate },
      { out: this.#up, matrix: up },
    ];
    backend.expertMatmuls(products, x, 'tokens', routing, rows);
    backend.gate(this.#gate, this.#gate, this.#up, this.#options.activation ?? 'silu', rows * routing.topK);
    backend.expertMatmuls([{ out: this.#down, matrix: down }], this.#gate, 'slots', routing, rows);
    backend.combine(out, this.#down, routing, rows);
    if (shared) this.#shared?.apply(step, shared);
  }
}

/** Experts of a width of their own. */
export const readNarrowExperts = (loading: Loading): MoE =>
  new MoE(loading, loading.keys.size('expert_feed_forward_length', most.feedForward));

/** Experts as wide as a layer's feed-forward network, where a file says that it has any. */
export const readExperts = (loading: Loading): MoE | undefined =>
  loading.keys.maybe('expert_count') ? new MoE(loading, loading.config.feedForward) : undefined;

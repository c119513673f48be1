import type { Activation, Buffer, Matrix, Routing, Vector } from '../backend/backend.ts';
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
  /** What each expert's weight is multiplied with, where a file says so. [experts] */
  readonly scales?: Vector | undefined;
  readonly moe: MoE;
}

const mostExperts = 1024;

/** The feed-forward networks of which each token takes a few. arXiv:2401.04088 */
export class MoE {
  readonly #experts: number;
  readonly #width: number;
  readonly #feedForward: number;
  readonly #activation: Activation;
  readonly #routing: Routing;
  /** [tokens, experts] */
  readonly #scores: Buffer;
  /** A row for each token and expert that it takes. */
  readonly #gate: Buffer;
  readonly #up: Buffer;
  readonly #down: Buffer;

  /** @param feedForward width of an expert's network */
  constructor(
    { backend, keys, config: { width }, options }: Loading,
    feedForward: number,
    activation: Activation = 'silu',
  ) {
    const experts = keys.size('expert_count', mostExperts);
    const topK = keys.size('expert_used_count', experts);
    const slots = options.maxBatchTokens * topK;
    this.#experts = experts;
    this.#width = width;
    this.#feedForward = feedForward;
    this.#activation = activation;
    this.#routing = backend.routing(options.maxBatchTokens, experts, topK);
    this.#scores = backend.buffer(options.maxBatchTokens, experts);
    this.#gate = backend.buffer(slots, feedForward);
    this.#up = backend.buffer(slots, feedForward);
    this.#down = backend.buffer(slots, width);
  }

  async load(tensors: Tensors, prefix: string): Promise<ExpertWeights> {
    const [experts, width, inner] = [this.#experts, this.#width, this.#feedForward];
    const scale = `${prefix}.ffn_down_exps.scale`;
    const fused = tensors.has(`${prefix}.ffn_gate_up_exps.weight`);
    const part = (name: string, first: number) =>
      fused
        ? tensors.experts(`${prefix}.ffn_gate_up_exps.weight`, experts, 2 * inner, width, { first, count: inner })
        : tensors.experts(`${prefix}.${name}.weight`, experts, inner, width);
    return {
      router: await tensors.matrix(`${prefix}.ffn_gate_inp.weight`, experts, width),
      gate: await part('ffn_gate_exps', 0),
      up: await part('ffn_up_exps', inner),
      down: await tensors.experts(`${prefix}.ffn_down_exps.weight`, experts, width, inner),
      scales: tensors.has(scale) ? await tensors.vector(scale, experts) : undefined,
      moe: this,
    };
  }

  /** out += what the chosen experts make of `x`, weighted; chosen by what the router makes of `judged`. */
  apply(
    { backend, work, batch }: Step,
    { router, gate, up, down, scales }: ExpertWeights,
    { out = work.hidden, x = work.normed, judged = x }: { out?: Buffer; x?: Buffer; judged?: Buffer } = {},
  ): void {
    const rows = batch.tokens;
    const routing = this.#routing;
    backend.matmul(this.#scores, router, judged, rows);
    backend.route(routing, this.#scores, rows, { scales });
    const products = [
      { out: this.#gate, matrix: gate },
      { out: this.#up, matrix: up },
    ];
    backend.expertMatmuls(products, x, 'tokens', routing, rows);
    backend.gate(this.#gate, this.#gate, this.#up, this.#activation, rows * routing.topK);
    backend.expertMatmuls([{ out: this.#down, matrix: down }], this.#gate, 'slots', routing, rows);
    backend.combine(out, this.#down, routing, rows);
  }
}

import type { Buffer, Gate, Matrix, Routing, Vector } from '../backend/backend.ts';
import { most } from './config.ts';
import type { Step } from './decoder.ts';
import type { Loading } from './loading.ts';
import type { Linear, Tensors } from './tensors.ts';

/** The matrices of all experts one below the other, and so their biases. */
interface Experts {
  readonly matrix: Matrix;
  readonly bias?: Vector | undefined;
}

/** The weights of a mixture of experts. */
export interface ExpertWeights {
  /** [experts, width] */
  readonly router: Linear;
  /** [experts * feedForward, width] */
  readonly gate: Experts;
  readonly up: Experts;
  /** [experts * width, feedForward] */
  readonly down: Experts;
  readonly moe: MoE;
}

/** How experts differ between architectures. */
export interface ExpertOptions {
  /** Default silu. */
  readonly activation?: Gate | undefined;
  /** Whether experts and their router have biases. */
  readonly biases?: boolean | undefined;
}

const mostExperts = 1024;

/** The feed-forward networks of which each token takes a few. arXiv:2401.04088 */
export class MoE {
  readonly #experts: number;
  readonly #width: number;
  readonly #feedForward: number;
  readonly #options: ExpertOptions;
  readonly #routing: Routing;
  /** [tokens, experts] */
  readonly #scores: Buffer;
  /** A row for each token and expert that it takes. */
  readonly #gate: Buffer;
  readonly #up: Buffer;
  readonly #down: Buffer;

  /** @param feedForward width of an expert's network */
  constructor({ backend, keys, config: { width }, options }: Loading, feedForward: number, how: ExpertOptions = {}) {
    const experts = keys.size('expert_count', mostExperts);
    const topK = keys.size('expert_used_count', experts);
    const slots = options.maxBatchTokens * topK;
    this.#experts = experts;
    this.#width = width;
    this.#feedForward = feedForward;
    this.#options = how;
    this.#routing = backend.routing(options.maxBatchTokens, experts, topK);
    this.#scores = backend.buffer(options.maxBatchTokens, experts);
    this.#gate = backend.buffer(slots, feedForward);
    this.#up = backend.buffer(slots, feedForward);
    this.#down = backend.buffer(slots, width);
  }

  async load(tensors: Tensors, prefix: string): Promise<ExpertWeights> {
    const [experts, width, inner] = [this.#experts, this.#width, this.#feedForward];
    const { biases } = this.#options;
    const load = async (name: string, rows: number, columns: number, part?: { first: number; count: number }) => {
      const shape = { experts, rows, part };
      const matrix = await tensors.experts(`${prefix}.${name}.weight`, shape, columns);
      return { matrix, bias: biases ? await tensors.expertBiases(`${prefix}.${name}.bias`, shape) : undefined };
    };
    // In a fused matrix each expert has the gate's rows first.
    const fused = tensors.has(`${prefix}.ffn_gate_up_exps.weight`);
    const half = (name: string, first: number) =>
      fused
        ? load('ffn_gate_up_exps', 2 * inner, width, { first, count: inner })
        : load(`ffn_${name}_exps`, inner, width);
    const router = `${prefix}.ffn_gate_inp`;
    return {
      router: {
        matrix: await tensors.matrix(`${router}.weight`, experts, width),
        bias: biases ? await tensors.vector(`${router}.bias`, experts) : undefined,
      },
      gate: await half('gate', 0),
      up: await half('up', inner),
      down: await load('ffn_down_exps', width, inner),
      moe: this,
    };
  }

  /** hidden += what the chosen experts make of `work.normed`, weighted. */
  apply({ backend, work, batch }: Step, { router, gate, up, down }: ExpertWeights): void {
    const rows = batch.tokens;
    const routing = this.#routing;
    backend.matmul(this.#scores, router.matrix, work.normed, rows, router);
    backend.route(routing, this.#scores, rows);
    const products = [
      { out: this.#gate, ...gate },
      { out: this.#up, ...up },
    ];
    backend.expertMatmuls(products, work.normed, 'tokens', routing, rows);
    backend.gate(this.#gate, this.#gate, this.#up, this.#options.activation ?? 'silu', rows * routing.topK);
    backend.expertMatmuls([{ out: this.#down, ...down }], this.#gate, 'slots', routing, rows);
    backend.combine(work.hidden, this.#down, routing, rows);
  }
}

/** Experts of a width of their own. */
export const readNarrowExperts = (loading: Loading): MoE =>
  new MoE(loading, loading.keys.size('expert_feed_forward_length', most.feedForward));

/** Experts as wide as a layer's feed-forward network, where a file says that it has any. */
export const readExperts = (loading: Loading): MoE | undefined =>
  loading.keys.maybe('expert_count') ? new MoE(loading, loading.config.feedForward) : undefined;
